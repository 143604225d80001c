import net from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { experiment, grpcServer, type Knobs, measure, restServer, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // it may run on a busy machine

const running: TestServer[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));

const kinds = { "v2-grpc": grpcServer, "v2-rest": restServer } as const;
async function start(protocol: keyof typeof kinds, knobs: Knobs = {}, ip?: string, port?: number): Promise<TestServer> {
  const server = await kinds[protocol](knobs, ip, port);
  running.push(server);
  return server;
}
const total = (numbers: Record<string, number>) => Object.values(numbers).reduce((sum, n) => sum + n, 0);

describe.each(["v2-grpc", "v2-rest"] as const)("%s", (protocol) => {
  test("counts add up and every answer is checked", async () => {
    const { port, seen } = await start(protocol, { delayMs: 5 });
    const measured = await measure(experiment(protocol, port));
    const { counts, correctness, errors, histogram, servers, series } = measured;
    expect(counts.answered).toBeGreaterThan(3);
    expect(counts).toMatchObject({ sent: counts.answered, failed: 0, abandoned: 0, inferences: counts.answered });
    expect(counts.sent + counts.warmup + 1).toBe(seen.requests); // the one more is the trial before the warm-up
    expect(correctness).toEqual({ checked: counts.answered, wrong: 0 });
    expect(errors).toEqual({ total: 0, byKind: {}, examples: {} });
    expect(histogram.latency.count).toBe(counts.answered);
    expect(servers).toEqual([{ address: `127.0.0.1:${port}`, answered: counts.answered, failed: 0 }]);
    const inTime = series.reduce((sum, { answered }) => sum + answered, 0);
    expect(measured.throughput.requestsPerSecond).toBeCloseTo(inTime / 0.4, 6);
    expect(Math.abs(inTime - counts.answered)).toBeLessThanOrEqual(2); // at most one per client at either end
  });

  test("latency is at least the server's delay, and two clients keep two requests in flight", async () => {
    const { port } = await start(protocol, { delayMs: 20 });
    const { latencyMs, histogram, slipMs, load, throughput } = await measure(experiment(protocol, port));
    expect(histogram.latency.minMicros).toBeGreaterThanOrEqual(19_000); // Node's timers may fire up to 1 ms early
    expect(histogram.latency.minMicros).toBeLessThan(40_000);
    expect(latencyMs.mean).toBeCloseTo(histogram.latency.sumMicros / histogram.latency.count / 1000, 9);
    expect(slipMs.mean).toBeLessThan(5); // the client has nothing else to do
    expect(load.achieved.concurrency).toBeGreaterThan(1.7);
    expect(load.achieved.concurrency).toBeLessThan(2.000001); // a sum of fractions
    expect(throughput.requestsPerSecond).toBeLessThanOrEqual(2 / 0.019);
  });

  test("tries again for as long as it has patience, until the server answers for the first time", async () => {
    const { port, seen } = await start(protocol, { fail: (n) => n <= 2 });
    const { counts, errors } = await measure({ ...experiment(protocol, port), patienceSeconds: 10 });
    expect(counts.answered).toBeGreaterThan(3);
    expect(errors.total).toBe(0);
    expect(counts.sent + counts.warmup + 3).toBe(seen.requests);
    const broken = await start(protocol, { fail: () => true });
    await expect(measure({ ...experiment(protocol, broken.port), patienceSeconds: 0.6 })).rejects.toThrow(
      "did not answer the first request",
    );
  });

  test("wrong answers are counted", async () => {
    const { port } = await start(protocol, { delayMs: 2, wrong: (n) => n % 4 === 0 });
    const { correctness, counts } = await measure(experiment(protocol, port));
    expect(correctness.checked).toBe(counts.answered);
    expect(correctness.wrong).toBeGreaterThanOrEqual(Math.floor(counts.answered / 4) - 1);
    expect(correctness.wrong).toBeLessThanOrEqual(Math.ceil(counts.answered / 4) + 1);
  });

  test("errors are counted by kind, with what the server said", async () => {
    const { port } = await start(protocol, { delayMs: 2, fail: (n) => n % 5 === 0, garbage: (n) => n % 7 === 0 });
    const { errors, counts, histogram } = await measure(experiment(protocol, port));
    const unavailable = protocol === "v2-grpc" ? "grpc UNAVAILABLE" : "http 503";
    expect(Object.keys(errors.byKind).sort()).toEqual([unavailable, "malformed reply"]);
    expect(errors.examples[unavailable]).toContain(protocol === "v2-grpc" ? "no room – try again" : "no room");
    expect(total(errors.byKind)).toBe(errors.total);
    expect(errors.total).toBe(counts.failed);
    expect(counts.sent).toBe(counts.answered + counts.failed);
    expect(histogram.latency.count).toBe(counts.answered);
  });

  test("a reply that never comes is a time-out, and its client goes on", async () => {
    const { port, seen } = await start(protocol, { delayMs: 2, hang: (n) => n === 20 });
    const { errors, counts } = await measure(
      experiment(protocol, port, { timeoutSeconds: 0.2, warmupSeconds: 0, clients: 1 }),
    );
    expect(errors.byKind).toEqual({ timeout: 1 });
    expect(counts.sent + 1).toBe(seen.requests);
    expect(counts.answered).toBeGreaterThan(3);
  });

  test("a server that hangs for good ends with the time-out", async () => {
    const { port } = await start(protocol, { hang: (n) => n > 1 });
    const began = performance.now();
    const { counts, latencyMs } = await measure(
      experiment(protocol, port, { timeoutSeconds: 0.5, durationSeconds: 0.3 }),
    );
    expect(performance.now() - began).toBeLessThan(2500);
    expect(counts.answered).toBe(0);
    expect(latencyMs).toEqual({ mean: null, p50: null, p90: null, p95: null, p99: null, p999: null, max: null });
  });

  test("a server that dies does not hang the client, and its return is noticed", async () => {
    const first = await start(protocol, { delayMs: 2 });
    const { port } = first;
    setTimeout(() => first.stop(), 300);
    setTimeout(() => start(protocol, { delayMs: 2 }, "127.0.0.1", port), 600);
    const { errors, counts, series } = await measure(
      experiment(protocol, port, { durationSeconds: 2, warmupSeconds: 0 }),
    );
    const names = Object.keys(errors.byKind);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(name).toMatch(/^(connection|stream reset) /);
    expect(errors.total).toBeLessThan(40); // it pauses between attempts
    expect(counts.sent).toBe(counts.answered + counts.failed);
    expect(series.at(-1)!.answered).toBeGreaterThan(5);
  });

  test("connections go to all addresses", async () => {
    const one = await start(protocol, { delayMs: 2 });
    const two = await start(protocol, { delayMs: 2 }, "127.0.0.2", one.port);
    for (const clients of [4, 1]) {
      one.seen.requests = two.seen.requests = 0;
      const ips = ["127.0.0.1", "127.0.0.2"];
      const { servers } = await measure(experiment(protocol, one.port, { clients }, ips));
      expect(servers.map(({ address }) => address)).toEqual(ips.map((ip) => `${ip}:${one.port}`));
      const share = servers[0]!.answered / (servers[0]!.answered + servers[1]!.answered);
      expect(share).toBeGreaterThan(0.4);
      expect(share).toBeLessThan(0.6);
      expect(one.seen.requests).toBeGreaterThan(5);
    }
  });

  test("the bytes on the wire are the request's and the reply's, and a little for headers", async () => {
    const { port } = await start(protocol, { delayMs: 1 });
    const { bytesOnTheWire } = await measure(experiment(protocol, port, { clients: 1 }));
    const [least, most] = protocol === "v2-grpc" ? [50, 250] : [150, 600];
    expect(bytesOnTheWire.perRequest).toBeGreaterThan(least);
    expect(bytesOnTheWire.perRequest).toBeLessThan(most);
    expect(bytesOnTheWire.perReply).toBeGreaterThan(40);
    expect(bytesOnTheWire.perReply).toBeLessThan(most);
  });

  test("an interruption ends it soon, with what was measured so far", async () => {
    const { port } = await start(protocol, { delayMs: 2 });
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(), 500);
    const began = performance.now();
    const { counts, load } = await measure(experiment(protocol, port, { durationSeconds: 30 }), {
      signal: interrupt.signal,
    });
    expect(performance.now() - began).toBeLessThan(2000);
    expect(load.achieved.durationSeconds).toBeLessThan(1);
    expect(counts.answered).toBeGreaterThan(5);
    expect(counts.sent).toBe(counts.answered + counts.failed + counts.abandoned);
  });

  test("requests without a reply at an interruption are counted as abandoned", async () => {
    const { port } = await start(protocol, { delayMs: 1, hang: (n) => n > 100 });
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(), 700);
    const load = { durationSeconds: 30, warmupSeconds: 0, timeoutSeconds: 20 };
    const { counts } = await measure(experiment(protocol, port, load), { signal: interrupt.signal });
    expect(counts).toMatchObject({ abandoned: 2, answered: 99, failed: 0, sent: 101 }); // and one trial
  });

  test("what cannot be measured is one clear sentence", async () => {
    const { port, stop } = await start(protocol);
    const lost = experiment(protocol, port);
    await expect(measure({ ...lost, target: { ...lost.target, model: "nobody" } })).rejects.toThrow(
      /did not answer the first request to model "nobody": (grpc NOT_FOUND|http 404): unknown model/,
    );
    await stop();
    await expect(measure(lost)).rejects.toThrow(/Cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });

  test("a server of another kind is one clear sentence", async () => {
    const other = await start(protocol === "v2-grpc" ? "v2-rest" : "v2-grpc");
    await expect(measure(experiment(protocol, other.port, { timeoutSeconds: 1 }))).rejects.toThrow(
      /its port for v2-|REST port/,
    );
    const mute = net.createServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as net.AddressInfo;
    await expect(measure(experiment(protocol, port, { timeoutSeconds: 0.3 }))).rejects.toThrow(/within 300 ms/);
    mute.close();
  });

  test("the warm-up is not recorded", async () => {
    const { port } = await start(protocol, { delayMs: (n) => (n < 3 ? 400 : 1) }); // the trial and the first request
    const { latencyMs, counts } = await measure(experiment(protocol, port, { warmupSeconds: 0.8, clients: 1 }));
    expect(latencyMs.max).toBeLessThan(400);
    expect(counts.warmup).toBeGreaterThan(1);
  });
});

test("gRPC: typed contents are read too, and large tensors flow", async () => {
  const { port } = await start("v2-grpc", { typed: true });
  const plan = experiment("v2-grpc", port);
  const data = Buffer.alloc(4 * 150_528);
  data.writeFloatLE(3, 0);
  const inputs = [{ name: "large", datatype: "FP32" as const, shape: [1, 150_528], data, labels: new Set([3]) }];
  const { correctness, counts, bytesOnTheWire } = await measure({ ...plan, inputs });
  expect(counts.answered).toBeGreaterThan(5);
  expect(counts.failed).toBe(0);
  expect(correctness.wrong).toBe(0);
  expect(bytesOnTheWire.perRequest).toBeGreaterThan(602_112);
  expect(bytesOnTheWire.perRequest).toBeLessThan(604_000);
});

test("REST: each client has one connection and keeps it", async () => {
  const { port, seen } = await start("v2-rest", { delayMs: 2 });
  await measure(experiment("v2-rest", port, { clients: 3 }));
  expect(seen.sockets).toBe(3);
});

test("each second is shown, warm-up included", async () => {
  const { port } = await start("v2-grpc", { delayMs: 10 });
  const seconds: number[] = [];
  const rates: number[] = [];
  await measure(experiment("v2-grpc", port, { warmupSeconds: 1.5, durationSeconds: 1.2 }), {
    onTick(tick) {
      seconds.push(tick.seconds);
      rates.push(tick.requestsPerSecond);
    },
  });
  expect(seconds).toHaveLength(2);
  expect(seconds[0]).toBeLessThan(0);
  for (const rate of rates) expect(rate).toBeGreaterThan(3);
});
