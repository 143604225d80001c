import fc from "fast-check";
import { expect, it } from "vitest";
import { expectedSeconds } from "../../benchmarks/benchmark.ts";
import { experimentKey } from "../../benchmarks/key.ts";

/** The same value with its properties in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([key, inner]) => [key, shuffled(inner)]));
}

it("is equal for equal choices, whatever the order of their properties", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(experimentKey(shuffled(value))).toBe(experimentKey(value));
      expect(experimentKey(value)).toMatch(/^[0-9a-f]{12}$/);
    }),
  );
});

it("differs for different choices and for another order of a list", () => {
  const keys = [{ a: 1 }, { a: 2 }, { b: 1 }, { a: [1, 2] }, { a: [2, 1] }, { a: { b: 1 } }, { a: "1" }].map(
    experimentKey,
  );
  expect(new Set(keys).size).toBe(keys.length);
});

it("gives a Job the time it needs and not much more", () => {
  const load = { mode: "closed", clients: 1, warmupSeconds: 10, durationSeconds: 60.5, seed: 1 } as const;
  const seconds = expectedSeconds({ load, readySeconds: 100, pods: 1 });
  expect(seconds).toBeGreaterThanOrEqual(100 + 10 + 60.5 + 120); // a fetch alone may take two minutes
  expect(seconds).toBeLessThan(100 + 10 + 60.5 + 600);
  expect(Number.isInteger(seconds)).toBe(true);
});
