import fc from "fast-check";
import { expect, test } from "vitest";
import { lostPart } from "../../../benchmarks/client/lostPart.ts";
import { merge } from "../../../benchmarks/client/merge.ts";
import { dueTimes, planOf } from "../../../benchmarks/client/pacer.ts";
import type { Part } from "../../../benchmarks/client/part.ts";
import { Recorder } from "../../../benchmarks/client/recorder.ts";
import { Samples } from "../../../benchmarks/client/samples.ts";
import type { Load, MlperfScenario } from "../../../benchmarks/spec.ts";
import { goodRun } from "./facts.ts";

const target = { protocol: "v2-grpc", host: "h", port: 1, model: "m", input: "i", output: "o" } as const;
const closed: Load = { mode: "closed", clients: 2, durationSeconds: 4, warmupSeconds: 0, seed: 1 };
const startedAt = Date.UTC(2026, 0, 1);
const lengthMs = 4000;
const addresses = ["10.0.0.1:1", "10.0.0.2:1"];

interface Request {
  dueAt: number;
  slip: number;
  service: number;
  server: number;
  outcome: "right" | "wrong" | "timeout" | "grpc UNAVAILABLE";
}
const requests = fc.array(
  fc.record({
    dueAt: fc.double({ min: -500, max: lengthMs - 1, noNaN: true }),
    slip: fc.double({ min: 0, max: 50, noNaN: true }),
    service: fc.double({ min: 0.01, max: 3000, noNaN: true }),
    server: fc.constantFrom(0, 1),
    outcome: fc.constantFrom("right" as const, "wrong" as const, "timeout" as const, "grpc UNAVAILABLE" as const),
  }),
  { maxLength: 120 },
);

/** What an event loop with these requests reports. */
function part(
  name: string,
  list: readonly Request[],
  load: Load = closed,
  of = 1,
  length: number | undefined = lengthMs,
): Part {
  const recorder = new Recorder(length, 1);
  recorder.begin(0, planOf(load)?.pieces, of);
  for (const { dueAt, slip, service, server, outcome } of list) {
    const sentAt = dueAt + slip;
    recorder.sent(dueAt, sentAt);
    if (outcome === "right" || outcome === "wrong")
      recorder.answered(dueAt, sentAt, sentAt + service, server, outcome === "wrong" ? 1 : 0);
    else recorder.failed(dueAt, sentAt + service, server, outcome, `${outcome} in ${name}`);
  }
  return {
    name,
    from: startedAt,
    until: startedAt + lengthMs,
    endedAt: startedAt + lengthMs,
    ...recorder.finish(lengthMs, 0, addresses, (at) => startedAt + at),
    wire: {
      sent: 10 * list.length,
      received: 20 * list.length,
      bodySent: 8 * list.length,
      bodyReceived: 16 * list.length,
      requests: list.length,
    },
    client: { ...goodRun().environment.clients[0]!, name },
  };
}
const merged = (parts: readonly Part[], load: Load = closed) => merge(parts, { load, target, events: [] });

test("parts give what one event loop with all their requests would have reported, byte for byte", () => {
  const open: Load = {
    ...{ mode: "open", arrivals: "constant", connections: 8, warmupSeconds: 0, seed: 1 },
    stages: [
      { rate: 10, durationSeconds: 1 },
      { rate: 20, durationSeconds: 3, ramp: true },
    ],
  };
  fc.assert(
    fc.property(fc.array(requests, { minLength: 1, maxLength: 4 }), fc.constantFrom(closed, open), (lists, load) => {
      const apart = merged(
        lists.map((list, i) => part(`part ${i}`, list, load, lists.length)),
        load,
      );
      const whole = merged([part("whole", lists.flat(), load)], load);
      const { clients: _, load: apartLoad, errors, ...rest } = apart;
      const { clients: __, load: wholeLoad, errors: wholeErrors, ...wholeRest } = whole;
      const numbers = (value: unknown) =>
        JSON.parse(JSON.stringify(value), (_, v) => (typeof v === "number" ? Number(v.toPrecision(9)) : v));
      const exact = ({ histogram, counts, correctness, servers }: typeof apart) => ({
        histogram,
        counts,
        correctness,
        servers,
      });
      expect(exact(apart)).toEqual(exact(whole));
      expect(numbers(rest)).toEqual(numbers(wholeRest));
      expect(errors.byKind).toEqual(wholeErrors.byKind);
      expect(errors.total).toBe(wholeErrors.total);
      expect(numbers(apartLoad.achieved)).toEqual(numbers(wholeLoad.achieved));
      expect(apartLoad.schedule).toEqual(wholeLoad.schedule);
    }),
    { numRuns: 60 },
  );
});

test("the merged histograms hold every sample, with exact extremes and sum", () => {
  fc.assert(
    fc.property(fc.array(requests, { minLength: 1, maxLength: 4 }), (lists) => {
      const all = new Samples();
      for (const { dueAt, slip, service, outcome } of lists.flat())
        if (dueAt >= 0 && (outcome === "right" || outcome === "wrong")) all.record(dueAt + slip + service - dueAt);
      expect(merged(lists.map((list, i) => part(`${i}`, list))).histogram.latency).toEqual(all.toJSON());
    }),
    { numRuns: 60 },
  );
});

const answers = (n: number, from: number, until: number): Request[] =>
  Array.from({ length: n }, (_, i) => ({
    ...{ dueAt: from + (i * (until - from)) / n, slip: 0, service: 1, server: 0, outcome: "right" as const },
  }));

test("throughput is that of the interval from the first start to the last end, never a sum of rates", () => {
  const one = part("one", answers(100, 0, 1000));
  const late = { ...part("late", answers(100, 0, 1000)), from: startedAt + 3000, endedAt: startedAt + 7000 };
  const { throughput, startedAt: start, endedAt } = merged([one, late]);
  expect(throughput.requestsPerSecond).toBeCloseTo(200 / 7, 6);
  expect([start, endedAt]).toEqual(["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:07.000Z"]);
});

test("a part that was lost adds nothing and says so", () => {
  const lost = lostPart({ name: "pod 2", addresses: [{ ip: "10.0.0.1", port: 1 }] }, "Pod 2 died.");
  const one = part("one", answers(100, 0, 4000));
  const { faults, counts, clients, load, throughput, startedAt: start } = merged([one, lost]);
  expect(faults).toEqual(["Pod 2 died."]);
  expect(counts.sent).toBe(100);
  expect(clients.map(({ name }) => name)).toEqual(["one", "pod 2"]);
  expect(load.parts).toBe(2);
  expect(throughput.requestsPerSecond).toBe(25);
  expect(start).toBe("2026-01-01T00:00:00.000Z");
  expect(merged([lost]).counts.sent).toBe(0);
});

test("bins that have become wider in one part are made equally wide in the others", () => {
  const unknown = (list: Request[]) =>
    part("p", list, { ...closed, durationSeconds: undefined, repeats: 1 }, 1, undefined);
  const long = unknown([...answers(10, 0, 1000), ...answers(1, 100_000, 100_001)]);
  const short = unknown(answers(10, 0, 1000));
  expect(long.binMs).toBe(1000);
  expect(short.binMs).toBe(250);
  const { series } = merged([long, short], { ...closed, durationSeconds: undefined, repeats: 1 });
  expect(series[0]).toMatchObject({ startSeconds: 0, durationSeconds: 1, answered: 20, inFlight: 0 });
});

test("requests in flight at the end of each bin are those due and not ended", () => {
  const { series } = merged([
    part("p", [
      { dueAt: -10, slip: 0, service: 5000, server: 0, outcome: "right" },
      { dueAt: 10, slip: 0, service: 300, server: 0, outcome: "right" },
      { dueAt: 600, slip: 0, service: 10, server: 0, outcome: "timeout" },
    ]),
  ]);
  expect(series).toHaveLength(16);
  expect(series.slice(0, 4).map(({ inFlight }) => inFlight)).toEqual([2, 1, 1, 1]);
});

test("the schedule that was asked for is in the result, changes of the rate included", () => {
  const load: Load = {
    ...{ mode: "open", arrivals: "poisson", connections: 8, warmupSeconds: 0, seed: 5 },
    stages: [{ rate: 100, durationSeconds: 4 }],
  };
  const list = [...dueTimes(load)].map((dueAt) => ({
    dueAt,
    slip: 0,
    service: 1,
    server: 0,
    outcome: "right" as const,
  }));
  const plain = merge([part("p", list, load)], { load, target, events: [] });
  expect(plain.load.schedule).toMatchObject({ requests: list.length, requestsPerSecond: list.length / 4 });
  const changed = merge([part("p", list, load)], { load, target, events: [{ at: startedAt + 2000, rate: 50 }] });
  expect(changed.events).toEqual([{ atSeconds: 2, rate: 50 }]);
  expect(changed.load.schedule!.requests).toBe([...dueTimes(load, [{ at: 2000, rate: 50 }])].length);
  expect(changed.load.schedule!.hash).not.toBe(plain.load.schedule!.hash);
});

test("MLPerf: each scenario reports its own metric, and what was overridden", () => {
  const scenario = (load: Omit<MlperfScenario, "mode" | "warmupSeconds" | "seed">, queries?: Samples) => {
    const whole: MlperfScenario = { mode: "mlperf", warmupSeconds: 0, seed: 1, ...load };
    const list = answers(2000, 0, 4000);
    const one = { ...part("p", list, whole), ...(queries && { queries: queries.toJSON() }) };
    return merged([one], whole).mlperf!;
  };
  const queries = new Samples();
  for (let i = 1; i <= 1000; i++) queries.record(i);
  const single = scenario({ scenario: "SingleStream", minDurationSeconds: 4 });
  expect(single).toMatchObject({ metric: "90th percentile latency", unit: "ms", value: 1, queries: 2000 });
  expect(single.overridden).toEqual(["4 s were asked for; MLPerf SingleStream takes at least 600 s."]);
  const multi = scenario({ scenario: "MultiStream" }, queries);
  expect(multi).toMatchObject({ value: expect.closeTo(990, -1), unit: "ms", queries: 1000, overridden: [] });
  const server = scenario({
    scenario: "Server",
    targetQps: 500,
    latencyBoundMs: 10,
    minQueries: 1999,
    minDurationSeconds: 4,
  });
  expect(server).toMatchObject({ value: 500, unit: "queries/s" });
  expect(server.overridden).toHaveLength(2);
  const query = new Samples();
  query.record(4000);
  const offline = scenario({ scenario: "Offline", samplesPerQuery: 2000 }, query);
  expect(offline).toMatchObject({ value: 500, unit: "samples/s", queries: 1 });
  expect(offline.overridden).toEqual(["Queries had 2000 samples; those of MLPerf Offline have at least 24576."]);
});
