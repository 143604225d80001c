import fc from "fast-check";
import { expect, test } from "vitest";
import { Samples, samplesNeeded } from "../../../benchmarks/client/samples.ts";

const of = (values: readonly number[]): Samples => {
  const samples = new Samples();
  for (const ms of values) samples.record(ms);
  return samples;
};
const durations = fc.array(fc.double({ min: 0, max: 2e7, noNaN: true }), { maxLength: 200 });

test("merging parts gives what recording everything in one place gives, byte for byte", () => {
  fc.assert(
    fc.property(fc.array(durations, { maxLength: 6 }), (parts) => {
      const merged = Samples.merge(parts.map((part) => of(part).toJSON()));
      const whole = of(parts.flat());
      expect(merged.toJSON()).toEqual(whole.toJSON());
      expect(merged.timing()).toEqual(whole.timing());
      for (const p of [0, 50_000, 99_000, 100_000]) expect(merged.percentileMs(p)).toBe(whole.percentileMs(p));
    }),
    { numRuns: 200 },
  );
});

test("merging does not depend on the order", () => {
  fc.assert(
    fc.property(durations, durations, (a, b) => {
      const [x, y] = [of(a).toJSON(), of(b).toJSON()];
      expect(Samples.merge([x, y]).toJSON()).toEqual(Samples.merge([y, x]).toJSON());
    }),
  );
});

test("count, sum, min and max are exact; percentiles are within 0.1 % of the sorted samples'", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3_000_000_000 }), { minLength: 1, maxLength: 300 }), (micros) => {
      const samples = of(micros.map((us) => us / 1000));
      const sorted = micros.toSorted((a, b) => a - b);
      expect(samples).toMatchObject({
        count: micros.length,
        sumMicros: micros.reduce((sum, us) => sum + us, 0),
        minMicros: sorted[0],
        maxMicros: sorted.at(-1),
      });
      for (const p of [50_000, 90_000, 99_000]) {
        const exact = sorted[Math.max(Math.ceil((p * sorted.length) / 100_000), 1) - 1]! / 1000;
        expect(Math.abs(samples.percentileMs(p) - exact)).toBeLessThanOrEqual(exact * 0.001 + 0.001);
      }
    }),
  );
});

test("a percentile needs ten samples beyond it", () => {
  expect((["p50", "p90", "p95", "p99", "p999"] as const).map(samplesNeeded)).toEqual([20, 100, 200, 1000, 10_000]);
  const samples = of(Array.from({ length: 999 }, (_, i) => i + 1));
  expect(samples.timing()).toMatchObject({ p95: expect.closeTo(949, -1), p99: null, p999: null, max: 999 });
  samples.record(1000);
  expect(samples.timing().p99).toBeCloseTo(990, -1);
});

test("samples beyond an hour and below nothing keep their place at the ends", () => {
  const samples = of([-0.4, 7_200_000]);
  expect(samples.toJSON()).toMatchObject({ minMicros: 0, maxMicros: 7_200_000_000, sumMicros: 7_200_000_000 });
});
