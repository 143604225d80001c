/**
 * From the elements of an output tensor to answers, one for each input of the batch. Everything a server sends may be
 * wrong, so each function checks what it was given and throws an Error that is one sentence.
 */

/** Index of the largest of each of the `count` equal rows of scores. */
export function largest(scores: ArrayLike<number>, count: number): number[] {
  const row = rowLength(scores.length, count);
  const answers = new Array<number>(count);
  for (let i = 0, start = 0; i < count; i++, start += row) {
    let best = -1;
    let highest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < row; j++) {
      const score = scores[start + j]!;
      if (score > highest) {
        highest = score;
        best = j;
      }
    }
    if (best < 0) throw new Error("the scores are not numbers");
    answers[i] = best;
  }
  return answers;
}

/** The class numbers themselves: one per input. A server that ranks several sends the best first. */
export function indexes(values: ArrayLike<number | bigint>, count: number): number[] {
  const row = rowLength(values.length, count);
  return Array.from({ length: count }, (_, i) => {
    const index = Number(values[i * row]);
    if (!Number.isInteger(index)) throw new Error("the classes are not whole numbers");
    return index;
  });
}

/** The class names: one per input, the first of each row. */
export function names(values: ArrayLike<Uint8Array | string>, count: number): string[] {
  const row = rowLength(values.length, count);
  return Array.from({ length: count }, (_, i) => {
    const value = values[i * row]!;
    return typeof value === "string" ? value : Buffer.from(value.buffer, value.byteOffset, value.length).toString();
  });
}

function rowLength(length: number, count: number): number {
  if (length === 0) throw new Error("the output is empty");
  if (length % count) throw new Error(`${length} values do not make ${count} answers`);
  return length / count;
}

/** Little-endian elements, which may lie unaligned: then they are copied. */
export const float32 = (bytes: Uint8Array): Float32Array => elements(bytes, Float32Array);
export const float64 = (bytes: Uint8Array): Float64Array => elements(bytes, Float64Array);
export const int32 = (bytes: Uint8Array): Int32Array => elements(bytes, Int32Array);
export const int64 = (bytes: Uint8Array): BigInt64Array => elements(bytes, BigInt64Array);

interface ElementType<T> {
  new (buffer: ArrayBufferLike, offset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

function elements<T>(bytes: Uint8Array, Type: ElementType<T>): T {
  const size = Type.BYTES_PER_ELEMENT;
  if (bytes.length % size) throw new Error(`${bytes.length} bytes are not a multiple of ${size}`);
  const aligned = bytes.byteOffset % size ? new Uint8Array(bytes) : bytes;
  return new Type(aligned.buffer, aligned.byteOffset, bytes.length / size);
}
