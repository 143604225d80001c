import { describe, expect, it } from "vitest";
import { type CapacityRequest, findCapacity, ratesOf } from "../../../benchmarks/search/capacity.ts";
import { type ServerOptions, simulatedServer, truthOf } from "./server.ts";

const request: CapacityRequest = {
  latencyMs: 50,
  runs: 5,
  retries: 2,
  confidence: 0.95,
  confirmations: 3,
  rates: { from: 10, to: 640, step: 0.05 },
};
const seeds = Array.from({ length: 100 }, (_, seed) => seed);
const exhaustive = ratesOf(request.rates).length * request.runs;

describe("the highest rate that keeps a latency, on simulated servers", () => {
  it.each<[string, ServerOptions]>([
    ["steady", { capacity: 170, idleMs: 20, noise: 0.02 }],
    ["noisy", { capacity: 170, idleMs: 20, noise: 0.1 }],
    ["as noisy as a small virtual machine", { capacity: 170, idleMs: 20, noise: 0.25 }],
    ["noisier the more is asked of it", { capacity: 400, idleMs: 10, noise: 0.1, noiseGrowth: 3 }],
    ["disturbed now and then", { capacity: 170, idleMs: 20, noise: 0.1, disturbed: 0.05, invalid: 0.05 }],
    ["slow", { capacity: 40, idleMs: 12, noise: 0.15 }],
    ["quick until it cannot follow", { capacity: 600, idleMs: 2, noise: 0.1 }],
  ])("is in the interval for at least 90 of 100 seeds, with at most a third of all runs: %s", async (_, server) => {
    const truth = truthOf(server, request.latencyMs);
    const found = await Promise.all(seeds.map((seed) => findCapacity(request, simulatedServer(server, seed))));
    const covers = found.filter(({ low, high }) => (low ?? 0) <= truth && truth <= (high ?? Number.POSITIVE_INFINITY));
    expect(covers.length).toBeGreaterThanOrEqual(90);
    for (const { runs } of found) expect(runs).toBeLessThanOrEqual(exhaustive / 3);
    // An interval of everything would cover the truth as well.
    const widths = found.map(({ low, high }) => (high ?? Number.POSITIVE_INFINITY) / (low ?? 0)).sort((a, b) => a - b);
    expect(widths[50]).toBeLessThan(1 + 0.1 + 6 * server.noise);
    expect(found.filter(({ winner }) => winner).length).toBeGreaterThanOrEqual(90);
  });

  it("is measured again fresh, and only the fresh runs speak for it", async () => {
    const fresh: number[] = [];
    const server = simulatedServer({ capacity: 170, idleMs: 20, noise: 0.05 }, 1);
    const { winner, low, tried } = await findCapacity(request, async (rate, isFresh) => {
      if (isFresh) fresh.push(rate);
      return { ...(await server(rate)), isFresh };
    });
    expect(winner!.rate).toBe(low);
    expect(fresh).toEqual([low, low, low]);
    expect(winner!.runs.map(({ isFresh }) => isFresh)).toEqual([true, true, true]);
    expect(tried.flatMap(({ seen }) => seen).every((run) => !(run as { isFresh?: boolean }).isFresh)).toBe(true);
  });

  it("is never a rate whose runs are INVALID", async () => {
    const limit = 50; // the client cannot send faster, whatever the server could do
    const { winner, low, high, notes } = await findCapacity(request, async (rate) =>
      rate > limit ? { latencyMs: 5, invalid: "The client was busy." } : { latencyMs: 5 },
    );
    expect(low).toBeLessThanOrEqual(limit);
    expect(high).toBeGreaterThan(limit);
    expect(winner!.rate).toBe(low);
    expect(notes.join()).toMatch(/cannot win, as its runs are INVALID: The client was busy/);
  });

  it("gives way to the next lower rate when it does not hold a second time", async () => {
    let searching = true;
    const { winner, low, notes } = await findCapacity(request, async (rate, isFresh) => {
      searching &&= !isFresh;
      return { latencyMs: rate > (searching ? 100 : 92) ? 80 : 20 };
    });
    expect(winner!.rate).toBeLessThanOrEqual(92);
    expect(winner!.rate).toBeLessThan(low!);
    expect(notes[0]).toMatch(/Measured again, [\d.]+ requests\/s did not win: it took 80.0/);
  });

  it("is none when even the lowest rate does not keep it, and is said to be open when the highest does", async () => {
    const slow = await findCapacity(request, async () => ({ latencyMs: 90 }));
    expect(slow).toMatchObject({ low: null, winner: null, high: 10 });
    expect(slow.notes.join()).toMatch(/Even the lowest rate, 10 requests\/s/);
    const fast = await findCapacity(request, async () => ({ latencyMs: 9 }));
    expect(fast).toMatchObject({ high: null, estimate: null });
    expect(fast.winner!.rate).toBe(ratesOf(request.rates).at(-1));
    expect(fast.notes.join()).toMatch(/Even the highest rate/);
  });

  it("is none when runs have too few samples for the percentile", async () => {
    const { winner, low } = await findCapacity(request, async () => ({ latencyMs: null }));
    expect({ winner, low }).toEqual({ winner: null, low: null });
  });
});
