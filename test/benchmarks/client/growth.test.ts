import { describe, expect, test } from "vitest";
import { growth } from "../../../benchmarks/client/growth.ts";
import { completeLoad, dueTimes } from "../../../benchmarks/client/pacer.ts";
import { seededRandom } from "../../../benchmarks/client/random.ts";
import { Series } from "../../../benchmarks/client/series.ts";
import type { Stage } from "../../../benchmarks/spec.ts";
import { goodRun } from "./facts.ts";

interface Simulated {
  readonly stages: readonly Stage[];
  readonly seed: number;
  /** Requests per second that one server can do, one after the other. */
  readonly capacity: number;
  /** Time every request takes besides, without a limit. */
  readonly delayMs?: number;
  /** Service times: all the same (M/D/1) or exponential (M/M/1). */
  readonly exponential?: boolean;
}

/** What a run would have seen of a queue with Poisson arrivals. */
function simulate({ stages, seed, capacity, delayMs = 0, exponential }: Simulated): string[] {
  const load = {
    ...({ mode: "open", arrivals: "poisson", connections: 8, warmupSeconds: 0 } as const),
    ...{ stages, seed },
  };
  const seconds = stages.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const series = new Series(seconds * 1000);
  const random = seededRandom(seed + 1);
  let free = 0;
  for (const due of dueTimes(load)) {
    series.due(due);
    free = Math.max(free, due) + (1000 / capacity) * (exponential ? -Math.log(1 - random()) : 1);
    const end = free + delayMs;
    if (end < seconds * 1000) series.ended(end, end - due, false);
  }
  const { binMs } = series;
  const bins = series.bins(seconds * 1000).map((bin, i) => ({
    ...{ startSeconds: (i * binMs) / 1000, durationSeconds: binMs / 1000 },
    ...{ answered: bin.answered, failed: 0, meanLatencyMs: 1, inFlight: bin.inFlight },
  }));
  const requested = completeLoad(load, "v2-grpc");
  return growth({ load: { ...goodRun().load, requested }, events: [], series: bins });
}

const seeds = 200;
/** Share of seeds for which the queue was found to grow. */
const found = (run: Omit<Simulated, "seed">): number =>
  Array.from({ length: seeds }, (_, seed) => simulate({ ...run, seed })).filter((reasons) => reasons.length).length /
  seeds;
const constant = (rate: number, durationSeconds: number): Stage[] => [{ rate, durationSeconds }];

describe("the queue of a server that keeps up does not grow", () => {
  test.each([
    ["M/D/1 at 80 %, 30 s", { stages: constant(800, 30), capacity: 1000 }],
    ["M/D/1 at 80 %, no more than 1000 requests", { stages: constant(100, 10), capacity: 125 }],
    ["M/M/1 at 80 %", { stages: constant(400, 20), capacity: 500, exponential: true }],
    ["M/D/1 at 95 %", { stages: constant(475, 30), capacity: 500 }],
    ["400 in flight because a reply takes 400 ms", { stages: constant(1000, 20), capacity: 1250, delayMs: 400 }],
    ["a ramp up to 80 %", { stages: [{ rate: 800, durationSeconds: 30, ramp: true }], capacity: 1000, delayMs: 20 }],
    ["steps up to 80 %", { stages: [...constant(200, 10), ...constant(800, 10)], capacity: 1000 }],
  ])("%s", (_, run) => {
    expect(found(run)).toBeLessThanOrEqual(0.02);
  });
});

describe("the queue of a server that does not keep up grows", () => {
  test.each([
    ["M/D/1 at 105 %", { stages: constant(1050, 30), capacity: 1000 }],
    ["M/D/1 at 105 %, slow", { stages: constant(105, 60), capacity: 100 }],
    ["M/M/1 at 110 %", { stages: constant(550, 30), capacity: 500, exponential: true }],
    ["105 % with 400 in flight anyway", { stages: constant(1050, 30), capacity: 1000, delayMs: 400 }],
    ["a ramp up to 150 %", { stages: [{ rate: 1500, durationSeconds: 30, ramp: true }], capacity: 1000 }],
    ["only the last step is too high", { stages: [...constant(500, 10), ...constant(1100, 10)], capacity: 1000 }],
  ])("%s", (_, run) => {
    expect(found(run)).toBeGreaterThanOrEqual(0.98);
  });
});

test("the reason has the numbers and the piece in it", () => {
  const [reason, ...more] = simulate({
    stages: [...constant(500, 10), ...constant(2000, 10)],
    capacity: 1000,
    seed: 1,
  });
  expect(more).toEqual([]);
  expect(reason).toMatch(
    /^The queue grew from 10 to 20 s: requests in flight rose from about \d+ to \d{4}\. The servers do not keep up with 2000 requests\/s\.$/,
  );
});

test("a closed loop has no queue that could grow, and a short run says nothing", () => {
  expect(growth(goodRun())).toEqual([]);
  expect(simulate({ stages: constant(1000, 2), capacity: 500, seed: 1 })).toEqual([]);
});
