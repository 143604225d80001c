import fc from "fast-check";
import protobuf from "protobufjs";
import { expect } from "vitest";
import type { Target } from "../../../../benchmarks/spec.ts";

const { Writer } = protobuf;

export const targetOf = (protocol: Target["protocol"], more: Partial<Target> = {}): Target => ({
  protocol,
  host: "127.0.0.1",
  port: 1,
  model: "m",
  input: "x",
  output: "y",
  ...more,
});

/** A field that holds bytes, by its number: how protocol buffers write texts, messages, and lists of packed numbers. */
export const field = (number: number, content: Uint8Array | string): Buffer =>
  Buffer.from(
    Writer.create()
      .uint32((number << 3) | 2)
      .bytes(Buffer.from(content as string))
      .finish(),
  );

/** A field that holds a whole number. */
export const integer = (number: number, value: number): Buffer =>
  Buffer.from(
    Writer.create()
      .uint32(number << 3)
      .uint32(value)
      .finish(),
  );

export const floats = (...values: number[]): Buffer => Buffer.from(new Float32Array(values).buffer);
export const doubles = (...values: number[]): Buffer => Buffer.from(new Float64Array(values).buffer);

/**
 * Whatever a server sends, `answers` either throws an Error of one sentence or gives as many answers as were asked for.
 *
 * @param good replies it can read; they are also tried with bytes changed, cut off and put in
 */
export function expectSafe(
  answers: (reply: Buffer, count: number) => (number | string)[],
  good: readonly Buffer[],
): void {
  const damaged = fc
    .tuple(fc.constantFrom(...good), fc.nat(), fc.nat(), fc.uint8Array({ maxLength: 8 }))
    .map(([reply, at, length, patch]) => {
      const from = at % (reply.length + 1);
      return Buffer.concat([reply.subarray(0, from), patch, reply.subarray(from + (length % 12))]);
    });
  const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(damaged, noise), fc.integer({ min: 1, max: 5 }), (reply, count) => {
      expectAnswersOrSentence(() => answers(reply, count), count);
    }),
    { numRuns: 3000 },
  );
}

export function expectAnswersOrSentence(read: () => unknown, count: number): void {
  let found: unknown;
  try {
    found = read();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).not.toBe("");
    expect((error as Error).message).not.toMatch(/undefined|\bis not a function|Cannot read|is not iterable/);
    return;
  }
  expect(found).toHaveLength(count);
  for (const answer of found as unknown[]) expect(["number", "string"]).toContain(typeof answer);
}
