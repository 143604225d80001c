import { afterEach, describe, expect, test, vi } from "vitest";
import { assemble } from "../../../benchmarks/client/assemble.ts";
import { runPart } from "../../../benchmarks/client/engine.ts";
import { completeLoad } from "../../../benchmarks/client/pacer.ts";
import type { Sample } from "../../../benchmarks/client/recorder.ts";
import { defaultThresholds } from "../../../benchmarks/client/thresholds.ts";
import type { MlperfScenario } from "../../../benchmarks/spec.ts";
import { experiment, grpcServer, type Knobs, measure, restServer, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // it may run on a busy machine

const running: TestServer[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));
const kinds = { "v2-grpc": grpcServer, "v2-rest": restServer } as const;
async function start(protocol: keyof typeof kinds, knobs: Knobs = {}): Promise<TestServer> {
  const server = await kinds[protocol](knobs);
  running.push(server);
  return server;
}

describe("a closed loop by count", () => {
  const repeats = { durationSeconds: undefined, warmupSeconds: 0, clients: 3, repeats: 6 };

  test("each client sends its repeats, and each input equally often", async () => {
    const { port, seen } = await start("v2-rest", { delayMs: 2 });
    const samples: Sample[] = [];
    const plan = experiment("v2-rest", port, { ...repeats, warmupRepeats: 3 });
    const part = await runPart(plan, { onSamples: (block) => samples.push(...block) });
    expect(part.counts).toMatchObject({ sent: 18, answered: 18, warmup: 9 });
    expect(seen.requests).toBe(18 + 9 + 1);
    const measured = samples.filter((sample) => sample.measured);
    for (const { name } of plan.inputs) expect(measured.filter(({ input }) => input === name)).toHaveLength(6);
    const lastWarmup = Math.max(...samples.filter((sample) => !sample.measured).map(({ endedAt }) => endedAt));
    expect(Math.min(...measured.map(({ sentAt }) => sentAt))).toBeGreaterThanOrEqual(lastWarmup); // they wait for each other
    expect(part.endedAt).toBeCloseTo(Math.max(...measured.map(({ endedAt }) => endedAt)), 3);
  });

  test("the throughput is that of all requests over the time from the first to the last reply", async () => {
    const { port } = await start("v2-grpc", { delayMs: 5 });
    const { throughput, load, counts } = await measure(experiment("v2-grpc", port, repeats));
    expect(counts).toMatchObject({ sent: 18, warmup: 0 });
    expect(throughput.requestsPerSecond).toBeCloseTo(18 / load.achieved.durationSeconds, 6);
    expect(load.requested).toMatchObject({ repeats: 6, batch: 1, timeoutSeconds: 2 });
  });

  test("a warm-up by time, and errors, end it all the same", async () => {
    const { port } = await start("v2-rest", { delayMs: 1, fail: (n) => n % 2 === 0, hang: (n) => n === 51 });
    const { counts } = await measure(
      experiment("v2-rest", port, { ...repeats, warmupSeconds: 0.2, timeoutSeconds: 0.3 }),
    );
    expect(counts.sent).toBe(18);
    expect(counts.failed).toBeGreaterThan(5);
    expect(counts.warmup).toBeGreaterThan(3);
  });

  test("an interruption says how far it came", async () => {
    const { port } = await start("v2-rest", { delayMs: 10 });
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(), 400);
    const measured = await measure(experiment("v2-rest", port, { ...repeats, repeats: 100_000 }), {
      signal: interrupt.signal,
    });
    const { verdict } = assemble(measured, {
      ...{ key: "", plan: null, about: {}, servers: [], seen: [] },
      thresholds: defaultThresholds,
    });
    expect(verdict.reasons[0]).toMatch(/^The run ended after \d+\.\d s with \d+ of the 300000 requests asked for/);
  });

  test("both a length and repeats, or neither, contradict themselves", async () => {
    for (const load of [{ repeats: 3 }, { durationSeconds: undefined }])
      await expect(measure(experiment("v2-rest", 1, load))).rejects.toThrow("either durationSeconds or repeats");
  });
});

test("gRPC: the clients of a closed loop share a connection to each server; over HTTP/1.1 each has its own", async () => {
  const { port, seen } = await start("v2-rest", { delayMs: 2 });
  await measure(experiment("v2-rest", port, { clients: 5 }));
  expect(seen.sockets).toBe(5);
  const shared = await start("v2-grpc", { delayMs: 2 });
  await measure(experiment("v2-grpc", shared.port, { clients: 5 }));
  expect(shared.seen.sockets).toBe(1);
});

describe("MLPerf", () => {
  const scenario = (load: Omit<MlperfScenario, "mode" | "seed" | "warmupSeconds">): MlperfScenario => ({
    ...{ mode: "mlperf", seed: 1, warmupSeconds: 0.1, timeoutSeconds: 2 },
    ...load,
  });

  test("its own rules are the defaults", () => {
    const complete = (load: Parameters<typeof scenario>[0]) => completeLoad(scenario(load), "v2-grpc");
    const common = { minDurationSeconds: 600, batch: 1 };
    expect(complete({ scenario: "SingleStream" })).toMatchObject({
      ...common,
      minQueries: 1024,
      samplesPerQuery: 1,
      connections: 1,
    });
    expect(complete({ scenario: "MultiStream" })).toMatchObject({
      ...common,
      minQueries: 662,
      samplesPerQuery: 8,
      connections: 8,
    });
    expect(complete({ scenario: "Server", targetQps: 10, latencyBoundMs: 15 })).toMatchObject({
      ...common,
      minQueries: 270_336,
    });
    expect(complete({ scenario: "Offline" })).toMatchObject({ ...common, minQueries: 1, samplesPerQuery: 24_576 });
    expect(() => complete({ scenario: "Server" })).toThrow("needs targetQps and latencyBoundMs");
    expect(() => complete({ scenario: "MultiStream", batch: 3 })).toThrow("queries of 8 samples in requests of 3");
  });

  test("SingleStream: one query at a time, until time and number are both reached", async () => {
    const { port } = await start("v2-grpc", { delayMs: 4 });
    const byCount = await measure(
      experiment("v2-grpc", port, scenario({ scenario: "SingleStream", minDurationSeconds: 0, minQueries: 120 })),
    );
    expect(byCount.counts.sent).toBe(120);
    expect(byCount.mlperf).toMatchObject({ scenario: "SingleStream", queries: 120, value: expect.any(Number) });
    expect(byCount.mlperf!.value).toBeGreaterThanOrEqual(3);
    expect(byCount.load.achieved.concurrency).toBeLessThanOrEqual(1.001);
    const byTime = await measure(
      experiment("v2-grpc", port, scenario({ scenario: "SingleStream", minDurationSeconds: 1, minQueries: 2 })),
    );
    expect(byTime.load.achieved.durationSeconds).toBeGreaterThanOrEqual(1);
  });

  test("MultiStream: the samples of a query are sent at once, and the query takes as long as its slowest", async () => {
    const { port } = await start("v2-rest", { delayMs: (n) => (n % 8 === 0 ? 40 : 1) });
    const load = scenario({ scenario: "MultiStream", minDurationSeconds: 0, minQueries: 12 });
    const part = await runPart(experiment("v2-rest", port, { ...load, warmupSeconds: 0 }));
    expect(part.counts.sent).toBe(96);
    expect(part.queries).toMatchObject({ count: 12 });
    expect(part.queries!.minMicros).toBeGreaterThan(38_000);
  });

  test("Server: Poisson until both its minimums are reached; p99 beyond the bound is a reason", async () => {
    const { port } = await start("v2-grpc", { delayMs: 30 });
    const load = scenario({
      scenario: "Server",
      targetQps: 500,
      latencyBoundMs: 10,
      minDurationSeconds: 0.5,
      minQueries: 1100,
    });
    const measured = await measure(experiment("v2-grpc", port, load));
    expect(measured.counts.sent).toBe(1100);
    expect(measured.load.schedule!.requests).toBe(1100);
    const { verdict } = assemble(measured, {
      ...{ key: "", plan: null, about: {}, servers: [], seen: [] },
      thresholds: defaultThresholds,
    });
    expect(verdict.reasons.join("\n")).toMatch(
      /Latency p99 was \d+(\.\d)? ms at 500 queries\/s; MLPerf Server's bound is 10 ms/,
    );
    expect(verdict.notes).toContain("1100 queries were asked for; MLPerf Server takes at least 270336.");
  });

  test("Offline: one query; every sample is due at its start", async () => {
    const { port } = await start("v2-grpc", { delayMs: 1 });
    const load = scenario({
      scenario: "Offline",
      samplesPerQuery: 400,
      batch: 4,
      minDurationSeconds: 0,
      connections: 4,
    });
    const { counts, mlperf, load: had, latencyMs } = await measure(experiment("v2-grpc", port, load));
    expect(counts).toMatchObject({ sent: 100, inferences: 400 });
    expect(mlperf).toMatchObject({ queries: 1, unit: "samples/s" });
    expect(mlperf!.value).toBeCloseTo(400 / had.achieved.durationSeconds, 6);
    expect(latencyMs.max! / 1000).toBeCloseTo(had.achieved.durationSeconds, 1);
  });

  test("what has one query at a time cannot be shared", async () => {
    const plan = experiment("v2-grpc", 1, scenario({ scenario: "SingleStream" }));
    await expect(runPart({ ...plan, share: { index: 0, of: 2 } })).rejects.toThrow(/one query at a time/);
  });
});
