import { Samples } from "../../../benchmarks/client/samples.ts";
import type { Facts } from "../../../benchmarks/client/verdict.ts";
import { schemaVersion } from "../../../benchmarks/result.ts";

/** A good run of `requests` answers, to be spoiled by tests. */
export function goodRun(requests = 2000): Facts {
  const samples = new Samples();
  for (let i = 0; i < requests; i++) samples.record(5);
  const timing = samples.timing();
  const slip = new Samples();
  for (let i = 0; i < requests; i++) slip.record(0.1);
  return {
    schemaVersion,
    key: "abc",
    startedAt: "2026-01-01T00:00:00.000Z",
    endedAt: "2026-01-01T00:00:10.000Z",
    load: {
      requested: {
        mode: "closed",
        clients: 2,
        warmupSeconds: 1,
        durationSeconds: 10,
        seed: 1,
        batch: 1,
        timeoutSeconds: 10,
      },
      parts: 1,
      schedule: null,
      achieved: {
        durationSeconds: 10,
        sentPerSecond: requests / 10,
        requestsPerSecond: requests / 10,
        concurrency: 1,
      },
    },
    throughput: { inferencesPerSecond: requests / 10, requestsPerSecond: requests / 10, drift: 0.01 },
    latencyMs: timing,
    serviceTimeMs: timing,
    slipMs: slip.timing(),
    counts: {
      sent: requests,
      answered: requests,
      failed: 0,
      abandoned: 0,
      unsent: 0,
      inferences: requests,
      warmup: 100,
    },
    errors: { total: 0, byKind: {}, examples: {} },
    correctness: { checked: requests, wrong: 0 },
    bytesOnTheWire: { perRequest: 1000, perReply: 100, bodyPerRequest: 900, bodyPerReply: 50 },
    segments: [
      {
        startSeconds: 0,
        durationSeconds: 10,
        requestedRate: null,
        sent: requests,
        answered: requests,
        failed: 0,
        sentPerSecond: requests / 10,
        latencyMs: timing,
        slipMs: slip.timing(),
      },
    ],
    events: [],
    series: [0, 5].map((startSeconds) => ({
      startSeconds,
      durationSeconds: 5,
      answered: requests / 2,
      failed: 0,
      meanLatencyMs: 5,
      inFlight: 1,
    })),
    mlperf: null,
    servers: [{ address: "10.0.0.1:8001", answered: requests, failed: 0 }],
    histogram: { latency: samples.toJSON(), serviceTime: samples.toJSON(), slip: slip.toJSON() },
    environment: {
      kernel: "6.1.0",
      cpuModel: "a CPU",
      node: "node-0",
      clientCpus: "1",
      clientCpuSeconds: 1,
      clients: [
        {
          name: "client",
          node: "node-0",
          cpus: "1",
          cpuSeconds: 1,
          busyShare: 0.1,
          lagMs: { p99: 1, max: 2 },
          throttledShare: null,
          clockOffsetMs: 0,
        },
      ],
      versions: { node: "24.0.0", client: "source" },
      servers: [
        {
          pod: "server-0",
          node: "node-0",
          address: "10.0.0.1",
          cpusPlanned: "0",
          cpusAllowed: "0",
          images: ["server@sha256:1"],
          throttledShare: null,
        },
      ],
    },
    plan: { hash: "p1", instances: 1, clientCpus: "1" },
    target: { protocol: "v2-grpc", host: "server", port: 8001, model: "m", input: "data", output: "prob" },
    about: { anything: [1, { of: "any kind" }] },
  };
}
