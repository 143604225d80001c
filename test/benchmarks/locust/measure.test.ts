import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultThresholds } from "../../../benchmarks/client/thresholds.ts";
import { locustLine, measure } from "../../../benchmarks/locust/measure.ts";
import type { LocustLine, LocustSpec } from "../../../benchmarks/locust/spec.ts";
import { parseResult } from "../../../benchmarks/result.ts";

const spec: LocustSpec = {
  key: "0123456789ab",
  target: { protocol: "v2-grpc", host: "server", port: 8001, model: "lite0", input: "data", output: "prob" },
  users: 3,
  durationSeconds: 10,
  timeoutSeconds: 10,
  seed: 1,
  workers: 1,
  thresholds: defaultThresholds,
  servers: { namespace: "serving", selector: "app=server", planHash: "hash", count: 0, readySeconds: 10 },
  job: { namespace: "serving", name: "locust-master" },
  patienceSeconds: 100,
  result: { namespace: "serving", configMap: "result" },
  about: {},
};

const second = 1_795_284_004;
const perSecond = (count: number) =>
  Object.fromEntries(Array.from({ length: 11 }, (_, i) => [String(second + i), count]));
const line: LocustLine = {
  locust: "2.46.3",
  python: "3.11.2",
  kernel: "6.1",
  cpuModel: "CPU",
  node: "node1",
  begin: second + 0.25,
  end: second + 10.2,
  requests: 2000,
  failures: 0,
  totalMs: 30_100,
  minMs: 9.51,
  maxMs: 31.7,
  replyBytes: 100_000,
  responseTimes: { "10": 1000, "20": 990, "32": 10 },
  requestsPerSecond: perSecond(200),
  failuresPerSecond: {},
  errors: [],
  clients: [
    {
      name: "locust-workers-0",
      node: "node1",
      cpus: "0",
      cpuSeconds: 4,
      seconds: 10,
      lagP99Ms: 1,
      lagMaxMs: 2,
      bodyBytes: 51,
    },
  ],
  csv: { requests: "Type,Name\n", failures: "", exceptions: "" },
};
const of = (changes: Partial<LocustLine> = {}, seen: string[] = []) => measure(spec, { ...line, ...changes }, [], seen);

describe("a run of Locust as a result", () => {
  it("follows the schema of every benchmark result", () => {
    const result = of();
    expect(parseResult(JSON.stringify(result))).toEqual(result);
    expect(result.verdict).toMatchObject({ valid: true, reasons: [] });
  });

  it("has what Locust kept exactly, and percentiles of what it rounded, with a note", () => {
    const { latencyMs, throughput, histogram, verdict } = of();
    expect(throughput.requestsPerSecond).toBe(200); // 2000 in the 10 s asked for
    expect(latencyMs).toMatchObject({ mean: 15.05, max: 31.7 });
    expect(latencyMs.p50).toBeCloseTo(10, 1);
    expect(latencyMs.p99).toBeCloseTo(20, 1);
    expect(histogram.latency).toMatchObject({ count: 2000, minMicros: 9510, maxMicros: 31_700, sumMicros: 30_100_000 });
    expect(verdict.notes.join()).toMatch(/Locust, which rounds/);
    expect(verdict.notes.join()).not.toMatch(/spread evenly/); // Locust does not say which server answered
  });

  it("does not claim to know how late requests were sent", () => {
    const { slipMs, histogram } = of();
    expect(slipMs).toEqual({ mean: null, p50: null, p90: null, p95: null, p99: null, p999: null, max: null });
    expect(histogram.slip.count).toBe(0);
  });

  it("counts wrong answers as failures and as wrong, by what Locust wrapped around them", () => {
    const errors = [
      { error: "WrongAnswer('wrong answer')", occurrences: 5 },
      { error: "CatchResponseError('wrong answer')", occurrences: 2 },
      { error: "Exception('grpc UNAVAILABLE')", occurrences: 3 },
    ];
    const { errors: kinds, correctness, counts, verdict } = of({ failures: 10, errors });
    expect(kinds).toMatchObject({ total: 10, byKind: { "wrong answer": 7, "grpc UNAVAILABLE": 3 } });
    expect(correctness).toEqual({ checked: 1997, wrong: 7 });
    expect(counts).toMatchObject({ sent: 2000, answered: 1990, failed: 10 });
    expect(verdict.valid).toBe(false);
    expect(verdict.reasons.join()).toMatch(/7 of 1997 answers were wrong/);
  });

  it.each<[string, Partial<LocustLine>, string[], RegExp]>([
    ["it was interrupted", { end: second + 4 }, [], /ended after 3.8 s of the 10 s asked for/],
    ["a worker is missing", { clients: [] }, [], /Nothing was measured: no Locust worker/],
    ["its event loop was busy", { clients: [{ ...line.clients[0]!, cpuSeconds: 9.9 }] }, [], /had work 99 %/],
    ["a server was restarted", {}, ["Pod server-0 was restarted during the run."], /restarted/],
    [
      "it was not steady",
      {
        requestsPerSecond: {
          ...perSecond(200),
          ...Object.fromEntries([5, 6, 7, 8, 9].map((i) => [String(second + i), 100])),
        },
      },
      [],
      /slower/,
    ],
  ])("is no good when %s", (_, changes, seen, reason) => {
    const verdict = () => of(changes, seen).verdict.reasons.join();
    let said: string;
    try {
      said = verdict();
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).toMatch(reason);
  });

  it("has as many samples as requests, whatever the times", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.integer({ min: 0, max: 9999 }).map(String), fc.integer({ min: 1, max: 50 })),
        (responseTimes) => {
          const requests = Object.values(responseTimes).reduce((sum, count) => sum + count, 0);
          expect(of({ responseTimes, requests }).histogram.latency.count).toBe(requests);
        },
      ),
    );
  });
});

describe("the line at the end of the master's log", () => {
  it("is found among Locust's own tables", () => {
    const log = `[2026] INFO/locust.main: Starting\nlocust ${JSON.stringify(line)}\nType  Name  # reqs\n`;
    expect(locustLine(log)).toEqual(line);
  });

  it("is missed with what the log ends with", () => {
    expect(() => locustLine("a\nb\nGave up waiting for workers to connect\n")).toThrow(
      /Nothing was measured: .*Gave up waiting for workers to connect/,
    );
    expect(() => locustLine("")).toThrow(/It ends with: nothing/);
  });
});
