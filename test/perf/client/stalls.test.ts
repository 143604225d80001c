import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answeredAt, closedLatencies, constantTimes, openLatencies, percentiles } from "./stalls.ts";

const stalls = { delayMs: 20, stallMs: 1000, everyMs: 10_000 };

describe("a server that stalls", () => {
  test("answers after its delay, or when the stall is over", () => {
    expect(answeredAt(5000, stalls)).toBe(5020);
    expect(answeredAt(9979, stalls)).toBe(9999);
    expect(answeredAt(9980, stalls)).toBe(11_000); // it would have been ready as the stall begins
    expect(answeredAt(10_500, stalls)).toBe(11_000);
    expect(answeredAt(10_980, stalls)).toBe(11_000);
    expect(answeredAt(10_981, stalls)).toBe(11_001);
  });

  test("never answers in a stall, nor a later request earlier", () => {
    const time = fc.nat(1e7);
    fc.assert(
      fc.property(time, time, (a, b) => {
        const answered = answeredAt(a, stalls);
        expect(answered).toBeGreaterThanOrEqual(a + stalls.delayMs);
        expect(answered % stalls.everyMs).toBeGreaterThanOrEqual(stalls.stallMs);
        if (a <= b) expect(answeredAt(b, stalls)).toBeGreaterThanOrEqual(answered);
      }),
    );
  });
});

describe("the latencies to expect", () => {
  test("in an open loop the tenth that comes in a stall waits, on average half of it", () => {
    const latencies = openLatencies(constantTimes(0, 100, 100), stalls);
    expect(latencies).toHaveLength(10_000);
    const waiting = latencies.filter((ms) => ms > 20);
    expect(waiting.length).toBeCloseTo(1000, -1);
    expect(percentiles(latencies)).toEqual({ p50: 20, p90: 20, p99: 920, p999: 1010 });
  });

  test("in a closed loop each client meets each stall once", () => {
    const latencies = closedLatencies(3, 5000, 55_000, stalls);
    expect(latencies.filter((ms) => ms > 20)).toHaveLength(3 * 5);
    expect(percentiles(latencies).p99).toBe(20);
  });

  test("a percentile is the smallest value that enough are not above", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1 }), (values) => {
        const { p50, p99 } = percentiles(values);
        const upTo = (limit: number) => values.filter((value) => value <= limit).length / values.length;
        const below = (limit: number) => values.filter((value) => value < limit).length / values.length;
        for (const [value, share] of [
          [p50, 0.5],
          [p99, 0.99],
        ] as const) {
          expect(values).toContain(value);
          expect(upTo(value)).toBeGreaterThanOrEqual(share);
          expect(below(value)).toBeLessThan(share);
        }
      }),
    );
  });
});
