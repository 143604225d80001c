import { describe, expect, test } from "vitest";
import { defaultThresholds } from "../../../benchmarks/client/thresholds.ts";
import { type Facts, judge } from "../../../benchmarks/client/verdict.ts";
import { goodRun } from "./facts.ts";

const thresholds = { ...defaultThresholds, maxErrorRate: 0.01, minRequests: 200 };
const verdict = (facts: ReturnType<typeof goodRun>, seen?: string[]) => judge(facts, thresholds, seen);

test("a good run is valid", () => {
  const { valid, reasons, notes } = verdict(goodRun());
  expect({ valid, reasons }).toEqual({ valid: true, reasons: [] });
  expect(notes).toEqual(["Left out for want of samples, of which there are 2000: p99.9 (needs 10000)."]);
});

test("errors: up to the limit they are allowed, beyond it they are named", () => {
  const run = goodRun();
  const counts = { ...run.counts, sent: 2020, failed: 20 };
  const errors = (total: number) => ({ total, byKind: { timeout: total }, examples: { timeout: "no complete reply" } });
  expect(verdict({ ...run, counts, errors: errors(20) }).valid).toBe(true);
  expect(verdict({ ...run, counts: { ...counts, sent: 2100, failed: 100 }, errors: errors(100) }).reasons).toEqual([
    "100 of 2100 requests failed, 4.76 %; at most 1 % may: 100 x timeout (no complete reply).",
  ]);
});

test("errors of one server of several name it", () => {
  const run = goodRun();
  const [first] = run.environment.servers;
  const environment = { ...run.environment, servers: [first!, { ...first!, pod: "server-1", address: "10.0.0.11" }] };
  const counts = { ...run.counts, sent: 2100, failed: 100 };
  const errors = { total: 100, byKind: { timeout: 100 }, examples: { timeout: "" } };
  const reason = (...failed: number[]) => {
    const servers = failed.map((failed, i) => ({ address: `10.0.0.1${i || ""}:8001`, answered: 1000, failed }));
    const plan = { ...run.plan!, instances: 2 };
    return verdict({ ...run, plan, environment, counts, errors, servers }).reasons[0];
  };
  expect(reason(0, 100)).toMatch(/ All of them went to pod server-1 on node-0\.$/);
  expect(reason(100, 0)).toMatch(/ All of them went to pod server-0 on node-0\.$/);
  expect(reason(50, 50)).not.toContain("All of them");
});

test("one wrong answer is one too many", () => {
  const run = goodRun();
  expect(verdict({ ...run, correctness: { checked: 2000, wrong: 1 } }).reasons).toEqual([
    "1 of 2000 answers were wrong.",
  ]);
});

test("too few requests, for the limit or for p99", () => {
  expect(verdict(goodRun(100)).reasons).toEqual([
    "Only 100 requests answered; at least 200 are needed. Measure longer.",
  ]);
  expect(verdict(goodRun(900)).reasons).toEqual(["Only 900 requests answered; p99 needs 1000. Measure longer."]);
});

test("a run without any answer says so and nothing misleading", () => {
  const run = goodRun(0);
  const errors = { total: 5, byKind: { timeout: 5 }, examples: { timeout: "" } };
  const counts = { ...run.counts, sent: 5, failed: 5 };
  const { reasons } = verdict({ ...run, counts, errors, throughput: { ...run.throughput, drift: null } });
  expect(reasons).toHaveLength(2);
  expect(reasons[0]).toContain("5 of 5 requests failed, 100 %");
});

test("a run that is not steady, in either direction", () => {
  const run = goodRun();
  const drifting = (drift: number | null) => verdict({ ...run, throughput: { ...run.throughput, drift } }).reasons;
  expect(drifting(-0.1)).toEqual([]);
  expect(drifting(-0.125)).toEqual([
    "The second half of the run was 12.5 % slower than the first; at most 10 % is steady.",
  ]);
  expect(drifting(0.2)[0]).toContain("20 % faster");
  expect(drifting(null)).toEqual(["Nothing was answered in the first half of the run."]);
});

test("an interrupted run", () => {
  const run = goodRun();
  const load = { ...run.load, achieved: { ...run.load.achieved, durationSeconds: 3.21 } };
  expect(verdict({ ...run, load }).reasons).toEqual(["The run ended after 3.2 s of the 10 s asked for."]);
  expect(verdict({ ...run, load, counts: { ...run.counts, abandoned: 2 } }).reasons[0]).toContain(
    "2 requests still without a reply",
  );
});

test("servers that are not on the planned CPUs", () => {
  const run = goodRun();
  const [server] = run.environment.servers;
  const on = (cpusAllowed: string | null, cpusPlanned: string | null = "0-1") =>
    verdict({
      ...run,
      environment: { ...run.environment, clientCpus: "1", servers: [{ ...server!, cpusAllowed, cpusPlanned }] },
    });
  expect(on("0,1").valid).toBe(true);
  expect(on("0-3").reasons).toEqual(["Pod server-0 may run on CPUs 0-3; planned were 0-1."]);
  expect(on(null).reasons[0]).toContain("does not say on which CPUs");
  expect(on("0-63", null).valid).toBe(true);
});

test("another number of servers, another CPU for the client, and whatever the caller saw", () => {
  const run = goodRun();
  expect(verdict({ ...run, plan: { ...run.plan!, instances: 2 } }).reasons).toEqual([
    "1 server pod measured; planned were 2.",
  ]);
  expect(verdict({ ...run, plan: { ...run.plan!, clientCpus: "2" } }).reasons).toEqual([
    "The client may run on CPUs 1; planned were 2.",
  ]);
  expect(verdict(run, ["Pod server-0 was restarted during the run."])).toMatchObject({
    valid: false,
    reasons: ["Pod server-0 was restarted during the run."],
  });
});

test("shared cores and an uneven spread are notes, not reasons", () => {
  const run = goodRun();
  const shared = verdict({
    ...run,
    plan: { ...run.plan!, clientCpus: null },
    environment: { ...run.environment, clientCpus: "0-1" },
  });
  expect(shared.valid).toBe(true);
  expect(shared.notes).toContain("The client (CPUs 0-1) shares cores with 1 server and takes CPU time from it.");
  const elsewhere = { ...run.environment, node: "another", clientCpus: "0" };
  expect(verdict({ ...run, plan: null, environment: elsewhere }).notes.join()).not.toContain("shares");
  const server = run.servers[0]!;
  const requested = { ...run.load.requested, clients: 3 };
  expect(verdict({ ...run, servers: [server, server], load: { ...run.load, requested } }).notes).toContain(
    "3 clients cannot be spread evenly over 2 servers.",
  );
});

describe("open loop", () => {
  const requests = 2000;
  const load = (achieved: Partial<Facts["load"]["achieved"]> = {}, requested: object = {}) => {
    const stages = [{ rate: 200, durationSeconds: 10 }];
    const open = { mode: "open", arrivals: "poisson", stages, connections: 16 } as const;
    const run = goodRun(requests);
    return {
      ...run,
      load: {
        ...run.load,
        requested: { ...open, warmupSeconds: 1, seed: 1, batch: 1, timeoutSeconds: 10, ...requested },
        schedule: { requests, requestsPerSecond: 200, hash: "00" },
        achieved: { ...run.load.achieved, ...achieved },
      },
    } as Facts;
  };

  test("the rate that was achieved may differ by 1 % from the schedule's", () => {
    expect(verdict(load()).reasons).toEqual([]);
    expect(verdict(load({ sentPerSecond: 198.1 })).reasons).toEqual([]);
    const late = load({ sentPerSecond: 190 });
    expect(verdict({ ...late, counts: { ...late.counts, unsent: 30 } }).reasons).toEqual([
      "Of the 2000 requests the schedule asked for (200/s), 1900 were sent in time (190/s), 5 % fewer; at most 1 % may differ. 30 requests could not be sent at all.",
    ]);
  });

  test("drift is no reason: the rate was asked for", () => {
    expect(verdict({ ...load(), throughput: { ...load().throughput, drift: -0.5 } }).reasons).toEqual([]);
  });

  test("slip p99 may be 1 ms, or a tenth of latency p50 if that is more", () => {
    const slipping = (p99: number, p50: number) => {
      const run = load();
      return verdict({ ...run, slipMs: { ...run.slipMs, p99 }, latencyMs: { ...run.latencyMs, p50 } }).reasons;
    };
    expect(slipping(1, 5)).toEqual([]);
    expect(slipping(1.2, 5)).toEqual([
      "Requests were sent 1.2 ms late (at p99): the client could not keep up, or the 16 connections were all taken. At most 1 ms may be.",
    ]);
    expect(slipping(1.2, 12.1)).toEqual([]);
    const offline = load(
      {},
      { mode: "mlperf", scenario: "Offline", minQueries: 1, samplesPerQuery: 2000, minDurationSeconds: 1 },
    );
    const run = { ...offline, slipMs: { ...offline.slipMs, p99: 4000 } };
    expect(verdict(run).reasons.join()).not.toContain("late");
  });

  test("a queue that grows", () => {
    const series = (inFlight: (i: number) => number) =>
      Array.from({ length: 40 }, (_, i) => ({
        ...{ startSeconds: i / 4, durationSeconds: 0.25, answered: 50, failed: 0, meanLatencyMs: 5 },
        inFlight: Math.round(inFlight(i)),
      }));
    expect(verdict({ ...load(), series: series((i) => 10 + (i % 3)) }).reasons).toEqual([]);
    expect(verdict({ ...load(), series: series((i) => 5 * i) }).reasons).toEqual([
      "The queue grew: requests in flight rose from about 30 to 165. The servers do not keep up with 200 requests/s.",
    ]);
  });

  test("interrupted", () => {
    expect(verdict(load({ durationSeconds: 4 })).reasons).toEqual(["The run ended after 4.0 s of the 10 s asked for."]);
  });
});

test("a client that was busy itself, or late", () => {
  const client = goodRun().environment.clients[0]!;
  const as = (change: Partial<typeof client>) => {
    const run = goodRun();
    return verdict({ ...run, environment: { ...run.environment, clients: [{ ...client, ...change }] } }).reasons;
  };
  expect(as({ busyShare: 0.9, lagMs: { p99: 9.9, max: 100 } })).toEqual([]);
  expect(as({ busyShare: 0.95 })).toEqual([
    "The event loop of client client had work 95 % of the time, so it may have measured itself; at most 90 % may be. Use more threads or pods.",
  ]);
  expect(as({ lagMs: { p99: 30, max: 60 } })[0]).toContain(
    "was 30 ms late at p99, so it saw replies late; at most 10 ms",
  );
});

test("throttled by the kernel, client or server; unknown is not throttled", () => {
  const run = goodRun();
  const { clients, servers } = run.environment;
  const at = (client: number | null, server: number | null) =>
    verdict({
      ...run,
      environment: {
        ...run.environment,
        clients: [{ ...clients[0]!, throttledShare: client }],
        servers: [{ ...servers[0]!, throttledShare: server }],
      },
    }).reasons;
  expect(at(null, null)).toEqual([]);
  expect(at(0.01, 0.005)).toEqual([]);
  expect(at(0.02, 0.5)).toEqual([
    "The kernel throttled client client in 2 % of the periods of its CPU quota; at most 1 % may be. Raise its CPU limit.",
    "The kernel throttled server server-0 in 50 % of the periods of its CPU quota; at most 1 % may be. Raise its CPU limit.",
  ]);
});

test("a single bin has no halves to compare", () => {
  const run = goodRun();
  const short = { ...run, series: run.series.slice(0, 1), throughput: { ...run.throughput, drift: null } };
  expect(verdict(short).reasons).toEqual([]);
});
