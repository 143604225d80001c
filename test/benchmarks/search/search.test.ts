import { describe, expect, it } from "vitest";
import type { Result } from "../../../benchmarks/result.ts";
import { SEARCH_FORMAT, winnerOf } from "../../../benchmarks/search/outcome.ts";
import { judgeAll, observationOf, type SearchRequest, searchOne } from "../../../benchmarks/search/search.ts";
import { resultOf } from "../sweep/facts.ts";

const request: SearchRequest = {
  latencyMs: 50,
  runs: 3,
  retries: 1,
  confidence: 0.95,
  confirmations: 2,
  rates: { from: 10, to: 200, step: 0.1 },
  percentile: "p99",
  objective: "throughput",
  constraints: {},
  prices: { nodeHour: 3.6 },
  watts: { node: 90 },
};
let count = 0;
/** What the client says of servers that can answer `capacity` requests per second. */
function served(rate: number, capacity: number): Result {
  const isOverloaded = rate > capacity;
  const base = resultOf(`key-${count++}`, isOverloaded ? { invalid: "The achieved rate was too low." } : {});
  const rps = Math.min(rate, capacity);
  return {
    ...base,
    load: { ...base.load, schedule: { requests: rate * 10, requestsPerSecond: rate, hash: "" } },
    throughput: { ...base.throughput, requestsPerSecond: rps, inferencesPerSecond: rps },
    latencyMs: { ...base.latencyMs, p99: isOverloaded ? 5000 : 10 / (1 - Math.min(0.99, rate / capacity)) },
  };
}
const configuration = { settings: { instances: 2 }, occupied: { nodes: 2, cores: 4 }, instances: 2 };

describe("a run, as the search looks at it", () => {
  it("is overloaded when fewer requests were answered than came, and only then", () => {
    expect(observationOf(served(50, 100), "p99")).toMatchObject({ latencyMs: 20 });
    expect(observationOf(served(150, 100), "p99")).toMatchObject({ isOverloaded: true, invalid: expect.any(String) });
    const drifted = { ...served(50, 100), verdict: { valid: false, reasons: ["It drifted."], notes: [] } };
    expect(observationOf(drifted, "p99")).toMatchObject({ isOverloaded: false, invalid: "It drifted." });
  });
});

describe("a configuration", () => {
  it("is reported from its fresh runs, with what they cost and what they leave of the servers", async () => {
    const fresh: string[] = [];
    const found = await searchOne(configuration, request, async (rate, isFresh) => {
      const result = served(rate, 100);
      if (isFresh) fresh.push(result.key);
      return result;
    });
    const { rate, inferencesPerSecond, latencyMs, costPer1000, joulesPerInference, results } = found.winner!;
    expect(results).toEqual(fresh);
    expect(fresh).toHaveLength(2);
    expect(rate).toBeLessThanOrEqual(80); // 10 / (1 - 0.8) is 50 ms
    expect(rate).toBeGreaterThan(70);
    expect(inferencesPerSecond).toBeCloseTo(rate, 6);
    expect(latencyMs).toBeLessThanOrEqual(50);
    expect(costPer1000).toBeCloseTo(2 / rate, 6); // 7.2 an hour
    expect(joulesPerInference).toBeCloseTo(180 / rate, 6);
    expect(found.utilization).toBeCloseTo(rate / 100, 2);
    expect(found.capacity.low).toBe(rate);
    expect(found.capacity.high).toBeGreaterThan(80);
  });

  it("whose fresh runs are INVALID has no winner, and the search hands none on", async () => {
    const found = await searchOne(configuration, request, async (rate, isFresh) =>
      isFresh
        ? { ...served(rate, 100), verdict: { valid: false, reasons: ["It drifted."], notes: [] } }
        : served(rate, 100),
    );
    expect(found.winner).toBeNull();
    const { best, pareto } = judgeAll([found], request);
    expect({ best, pareto }).toEqual({ best: null, pareto: [] });
    const outcome = {
      format: SEARCH_FORMAT,
      key: "",
      stack: "dev",
      endedAt: "",
      request: { slo: { percentile: "p99", latency: 50 } },
      searched: [found],
      pareto,
      best,
    } as const;
    expect(winnerOf(outcome)).toBeUndefined();
  });

  it("is the best when it does most", async () => {
    const [small, large] = await Promise.all(
      [60, 120].map((capacity) => searchOne(configuration, request, async (rate) => served(rate, capacity))),
    );
    expect(judgeAll([small!, large!], request)).toMatchObject({ best: 1, pareto: expect.arrayContaining([1]) });
  });
});
