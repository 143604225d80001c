import type { Input } from "../inputs.ts";
import { float32, float64, indexes, int32, int64, largest, names } from "./answers.ts";
import { batchData } from "./tensor.ts";

/** A batch as V2's raw bytes: elements one after the other; before each element of BYTES its length. */
export function rawTensor(batch: readonly Input[]): Buffer {
  if (batch[0]!.datatype !== "BYTES") return batchData(batch);
  return Buffer.concat(
    batch.flatMap(({ data }) => {
      const length = Buffer.allocUnsafe(4);
      length.writeUInt32LE(data.length);
      return [length, data];
    }),
  );
}

/**
 * The answers in an output of this datatype: from scores the best class, otherwise the classes themselves. One floating
 * number for each input is its class too: one score alone would say nothing.
 */
export function answersIn(datatype: unknown, values: ArrayLike<unknown>, count: number): (number | string)[] {
  switch (datatype) {
    case "FP32":
    case "FP64":
      return values.length === count
        ? indexes(values as ArrayLike<number>, count)
        : largest(values as ArrayLike<number>, count);
    case "INT32":
    case "INT64":
      return indexes(values as ArrayLike<number | bigint>, count);
    case "BYTES":
      return names(values as ArrayLike<Uint8Array | string>, count);
    default:
      throw new Error(`its type is ${datatype || "missing"}, not one of FP32, FP64, INT32, INT64, BYTES`);
  }
}

/** The same, from V2's raw bytes. */
export const answersInRaw = (datatype: unknown, bytes: Uint8Array, count: number): (number | string)[] =>
  answersIn(datatype, decoders[String(datatype)]?.(bytes) ?? [], count);

const decoders: Readonly<Record<string, (bytes: Uint8Array) => ArrayLike<unknown>>> = {
  FP32: float32,
  FP64: float64,
  INT32: int32,
  INT64: int64,
  BYTES: prefixed,
};

/** Elements that each have their length before them. */
function prefixed(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 <= bytes.length ? at + 4 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new Error("an element is cut off");
    elements.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return elements;
}

/** The output of this name, and where it stands; an Error from `read` gets the name put before it. */
export function readOutput<T extends { name?: unknown }, R>(
  outputs: readonly T[],
  name: string,
  read: (output: T, index: number) => R,
): R {
  const index = outputs.findIndex((output) => output?.name === name);
  if (index < 0) throw new Error(`no output "${name}" among [${outputs.map((output) => output?.name).join(", ")}]`);
  try {
    return read(outputs[index]!, index);
  } catch (error) {
    throw new Error(`output "${name}": ${(error as Error).message}`);
  }
}
