import { UserError } from "../../../error.ts";
import type { Input } from "../inputs.ts";

/** The inputs of a batch one after the other: little-endian elements, row by row. */
export function batchData(batch: readonly Input[]): Buffer {
  return batch.length === 1 ? batch[0]!.data : Buffer.concat(batch.map(({ data }) => data));
}

/** Size of the batch, then the shape of one input. */
export const batchShape = (batch: readonly Input[]): number[] => [batch.length, ...batch[0]!.shape];

/**
 * The elements of an FP32 batch as numbers that JSON shows with nine digits: they give the same float back.
 *
 * @throws UserError for what JSON has no number for
 */
export function jsonNumbers(data: Buffer): number[] {
  const numbers = new Array<number>(data.length / 4);
  for (let i = 0; i < numbers.length; i++) {
    const value = data.readFloatLE(4 * i);
    if (!Number.isFinite(value))
      throw new UserError(
        `An input holds ${value} (element ${i}), and JSON has no such number. Use a protocol that sends bytes: v2-grpc, v2-rest-binary, tfs-grpc.`,
      );
    numbers[i] = Number(value.toPrecision(9));
  }
  return numbers;
}
