import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { runPart } from "../../../benchmarks/client/engine.ts";
import { merge } from "../../../benchmarks/client/merge.ts";
import { dueTimes } from "../../../benchmarks/client/pacer.ts";
import type { Sample } from "../../../benchmarks/client/recorder.ts";
import { Samples } from "../../../benchmarks/client/samples.ts";
import type { OpenLoop } from "../../../benchmarks/spec.ts";
import { experiment, grpcServer, type Knobs, measure, restServer, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // it may run on a busy machine

const running: { stop(): unknown }[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));
const kinds = { "v2-grpc": grpcServer, "v2-rest": restServer } as const;
async function start(protocol: keyof typeof kinds, knobs: Knobs = {}): Promise<TestServer> {
  const server = await kinds[protocol](knobs);
  running.push(server);
  return server;
}
const open = (more: Partial<OpenLoop> = {}): OpenLoop => ({
  ...{ mode: "open", arrivals: "poisson", connections: 8, warmupSeconds: 0.2, seed: 3, timeoutSeconds: 2 },
  stages: [{ rate: 200, durationSeconds: 1 }],
  ...more,
});

describe.each(["v2-grpc", "v2-rest"] as const)("%s", (protocol) => {
  test("sends exactly the schedule, and the same one to another server", async () => {
    const one = await start(protocol);
    const two = await start(protocol, { delayMs: 3 });
    const load = open({
      stages: [
        { rate: 100, durationSeconds: 0.5 },
        { rate: 300, durationSeconds: 0.5, ramp: true },
      ],
    });
    const due = [...dueTimes(load)];
    const hashes = [];
    for (const { port, seen } of [one, two]) {
      const { counts, load: had, segments, latencyMs, correctness } = await measure(experiment(protocol, port, load));
      expect(counts).toMatchObject({ sent: due.length, answered: due.length, failed: 0, unsent: 0, abandoned: 0 });
      expect(counts.sent + counts.warmup + 1).toBe(seen.requests);
      expect(had.schedule!.requests).toBe(due.length);
      expect(segments.map(({ requestedRate, sent }) => ({ requestedRate, sent }))).toEqual([
        { requestedRate: 100, sent: due.filter((at) => at < 500).length },
        { requestedRate: 300, sent: due.filter((at) => at >= 500).length },
      ]);
      expect(correctness).toEqual({ checked: due.length, wrong: 0 });
      expect(latencyMs.max).toBeGreaterThan(0);
      hashes.push(had.schedule!.hash);
    }
    expect(hashes[0]).toBe(hashes[1]);
  });

  test("does not wait for replies: a slow server has them all in flight", async () => {
    const { port } = await start(protocol, { delayMs: 300 });
    const { load, counts } = await measure(experiment(protocol, port, open({ connections: 100 })));
    expect(counts.failed).toBe(0);
    expect(load.achieved.concurrency).toBeGreaterThan(35); // 200/s for 0.3 s each, some of them after the end
  });

  test("batches: each input of a request is an inference, and an answer", async () => {
    const { port } = await start(protocol, { wrong: (n) => n % 10 === 0 });
    const { counts, correctness, throughput } = await measure(experiment(protocol, port, open({ batch: 4 })));
    expect(counts.inferences).toBe(4 * counts.answered);
    expect(correctness.checked).toBe(counts.inferences);
    expect(correctness.wrong).toBeGreaterThan(0);
    expect(correctness.wrong % 4).toBe(0);
    expect(throughput.inferencesPerSecond).toBeCloseTo(4 * throughput.requestsPerSecond, 6);
  });
});

test("HTTP/1.1: what finds no free connection waits, and its latency counts from when it was due", async () => {
  const { port, seen } = await start("v2-rest", { delayMs: 50 });
  // Two connections do at most 40 requests/s; 80 are asked for.
  const load = open({
    arrivals: "constant",
    connections: 2,
    warmupSeconds: 0,
    stages: [{ rate: 80, durationSeconds: 1 }],
  });
  const samples: Sample[] = [];
  const plan = experiment("v2-rest", port, load);
  const part = await runPart(plan, { onSamples: (block) => samples.push(...block) });
  const { counts, slipMs, serviceTimeMs, load: had } = merge([part], { load, target: plan.target, events: [] });
  expect(seen.sockets).toBe(2);
  expect(counts).toMatchObject({ sent: 80, answered: 80, unsent: 0 }); // the queue is sent to its end
  expect(had.achieved.sentPerSecond).toBeLessThanOrEqual(42);
  expect(serviceTimeMs.max).toBeLessThan(slipMs.max!);
  expect(slipMs.max).toBeGreaterThan(800);
  samples.sort((a, b) => a.dueAt - b.dueAt);
  const sent = samples.map(({ sentAt }) => sentAt);
  expect(sent).toEqual(sent.toSorted((a, b) => a - b)); // first due, first sent
  const { inFlight } = merge([part], { load, target: plan.target, events: [] }).series.at(-1)!;
  expect(inFlight).toBeGreaterThan(30); // those that wait are in flight as well
});

test("what cannot be sent any more when the run is over is counted, and was not sent", async () => {
  const { port, seen } = await start("v2-rest", { delayMs: 400 });
  const load = open({ arrivals: "constant", connections: 1, warmupSeconds: 0, timeoutSeconds: 0.5 });
  const { counts, series } = await measure(experiment("v2-rest", port, load));
  expect(counts.sent + counts.unsent).toBe(200);
  expect(counts.sent).toBe(seen.requests - 1);
  expect(counts.sent).toBeLessThanOrEqual(5);
  expect(series.at(-1)!.inFlight).toBeGreaterThan(190);
});

test("parts of a run send each arrival and each input exactly once", async () => {
  const { port } = await start("v2-rest");
  const load = open({ warmupSeconds: 0, stages: [{ rate: 150, durationSeconds: 1 }] });
  const plan = experiment("v2-rest", port, load);
  const startAt = Math.round(performance.timeOrigin + performance.now()) + 200;
  const samplesOf = async (parts: number) => {
    const samples: Sample[] = [];
    const run = (index: number) =>
      runPart({ ...plan, startAt, share: { index, of: parts } }, { onSamples: (block) => samples.push(...block) });
    await Promise.all(Array.from({ length: parts }, (_, index) => run(index)));
    return samples
      .sort((a, b) => a.dueAt - b.dueAt)
      .map(({ dueAt, input }) => ({ at: Math.round((dueAt - startAt) * 1000) / 1000, input }));
  };
  const due = [...dueTimes(load)];
  const shared = await samplesOf(3);
  expect(shared.map(({ at }) => at)).toEqual(due);
  expect(shared).toEqual(await samplesOf(1));
});

test("a server that is down costs no more than the schedule asks for, and is an error each time", async () => {
  const { port, stop } = await start("v2-rest", { delayMs: 1 });
  setTimeout(stop, 500);
  const { counts, errors } = await measure(experiment("v2-rest", port, open({ warmupSeconds: 0 })));
  expect(counts.answered + counts.failed).toBe([...dueTimes(open())].length);
  expect(counts.failed).toBeGreaterThan(30);
  expect(Object.keys(errors.byKind).every((kind) => kind.startsWith("connection "))).toBe(true);
});

/**
 * A server that stands still for the first fifth of every 2.5 seconds. Whatever the machine does, it knows when it answered
 * what, so what the client should have seen can be worked out from that and the schedule alone.
 */
async function stallingServer() {
  const answeredAt: number[] = [];
  const server = http.createServer((request, response) => {
    request.resume().on("end", () => {
      const n = answeredAt.push(0) - 1;
      const into = performance.now() % 2500;
      const body = JSON.stringify({ outputs: [{ name: "prob", datatype: "FP32", shape: [1, 2], data: [1, 0] }] });
      const answer = () => {
        answeredAt[n] = performance.now();
        response.end(body);
      };
      if (into < 500) setTimeout(answer, 500 - into);
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  running.push({ stop });
  return { port: (server.address() as AddressInfo).port, answeredAt };
}

test("the truth about a server that stalls: every request that was due in the stall has waited", async () => {
  const { port, answeredAt } = await stallingServer();
  const load = open({
    arrivals: "constant",
    warmupSeconds: 0,
    stages: [{ rate: 1000, durationSeconds: 10 }],
    connections: 20,
  });
  const plan = experiment("v2-rest", port, load);
  const startAt = performance.timeOrigin + performance.now() + 100;
  const part = await runPart({ ...plan, startAt });
  const { latencyMs, counts } = merge([part], { load, target: plan.target, events: [] });
  const due = [...dueTimes(load)];
  expect(counts).toMatchObject({ sent: due.length, answered: due.length, failed: 0 });
  const answers = answeredAt.slice(1); // the first one was the trial
  const truth = new Samples();
  for (const [i, at] of due.entries()) truth.record(answers[i]! - (at + startAt - performance.timeOrigin));
  for (const p of ["p90", "p95", "p99", "p999"] as const) {
    const wanted = truth.timing()[p]!;
    expect(Math.abs(latencyMs[p]! - wanted), `${p}: ${latencyMs[p]} and not ${wanted}`).toBeLessThan(0.02 * wanted + 2);
  }
  // A fifth of all requests were due in a stall and waited for its end, so 1 % of all waited for at least 475 ms. A closed
  // loop of 20 clients would have sent 20 requests into each stall, 1 % of all, and would report a p90 of next to nothing.
  expect(latencyMs.p90).toBeGreaterThan(240);
  expect(latencyMs.p99).toBeGreaterThan(470);
});
