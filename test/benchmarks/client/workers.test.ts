import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { bundleClient } from "../../../benchmarks/client/bundle.ts";
import { coordinate } from "../../../benchmarks/client/coordinator.ts";
import { Kubernetes, type Pod } from "../../../benchmarks/client/kubernetes.ts";
import { Rates } from "../../../benchmarks/client/rates.ts";
import { defaultThresholds } from "../../../benchmarks/client/thresholds.ts";
import { work } from "../../../benchmarks/client/worker.ts";
import { Workers } from "../../../benchmarks/client/workers.ts";
import { parseResult } from "../../../benchmarks/result.ts";
import type { BenchmarkSpec, Load, Target } from "../../../benchmarks/spec.ts";
import { fakeApi, pod } from "./apiServer.ts";
import { grpcServer, inputsFolder, testInputs } from "./servers.ts";
import { freePort, startWorker, token, type WorkerProcess, workerPod } from "./workerPods.ts";

vi.setConfig({ testTimeout: 120_000 }); // processes start slowly on a busy machine

const cleanups: (() => unknown)[] = [];
afterEach(() => Promise.all(cleanups.splice(0).map((clean) => clean())));

const repeats: Load = { mode: "closed", clients: 5, repeats: 30, warmupSeconds: 0, seed: 1, timeoutSeconds: 5 };
const open = (rate: number, durationSeconds: number): Load => ({
  mode: "open",
  arrivals: "constant",
  stages: [{ rate, durationSeconds }],
  connections: 2,
  warmupSeconds: 0.5,
  seed: 1,
  timeoutSeconds: 5,
});
/** Nothing here asserts how fast this machine is. */
const thresholds = {
  ...defaultThresholds,
  minRequests: 1,
  maxDrift: 100,
  maxSlipMs: 1e6,
  maxClientBusy: 100,
  maxRateError: 1,
};

/** A model server, an API server, and the spec of an experiment with workers, none of which runs yet. */
async function stage(load: Load, change: Partial<BenchmarkSpec> = {}, count = 2) {
  const server = await grpcServer({ delayMs: 1 });
  const workers: Pod[] = [];
  const api = await fakeApi({
    pods: [pod("server-0", "127.0.0.1")],
    workers: () => workers,
    logs: { "server-0": "Cpus_allowed_list: 0" },
  });
  cleanups.push(server.stop, api.stop);
  const target: Target = {
    protocol: "v2-grpc",
    host: "server",
    port: server.port,
    model: "model",
    input: "data",
    output: "prob",
  };
  const spec: BenchmarkSpec = {
    key: "experiment",
    target,
    load,
    thresholds,
    servers: { namespace: "serving", selector: "app=server", planHash: "p1", count: 1, readySeconds: 30 },
    workers: { namespace: "serving", selector: "app=worker", count, port: await freePort() },
    result: { namespace: "results", configMap: "result" },
    about: {},
    ...change,
  };
  const inputs = inputsFolder();
  const said: string[] = [];
  const options = {
    name: "coordinator",
    host: "127.0.0.1",
    token,
    say: (text: string) => said.push(text),
    intervalMs: 20,
    resolve: async () => ["127.0.0.1"],
  };
  const kubernetes = new Kubernetes(api.access, 5);
  return {
    api,
    kubernetes,
    server,
    spec,
    workers,
    said,
    options,
    process(name: string, ip: string, how: Parameters<typeof startWorker>[4] = {}): WorkerProcess {
      const worker = startWorker(name, ip, spec, inputs, how);
      cleanups.push(() => worker.child.kill("SIGKILL"));
      workers.push(worker.pod);
      return worker;
    },
    /** A worker on this event loop. */
    worker(name: string, ip: string, more: Partial<Parameters<typeof work>[0]> = {}): Promise<void> {
      workers.push(workerPod(name, ip));
      const stop = new AbortController();
      const done = work({
        host: ip,
        port: spec.workers!.port,
        token,
        inputs: testInputs(),
        idleSeconds: 60,
        say: () => {},
        signal: stop.signal,
        ...more,
      });
      done.catch(() => {});
      cleanups.push(() => stop.abort());
      return done;
    },
    coordinate: (more: object = {}) => coordinate(spec, "/no inputs", kubernetes, { ...options, ...more }),
  };
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((next) => setTimeout(next, 20));
};

test("two workers measure what was asked for, together, and go home", async () => {
  const { worker, coordinate, api, server, said } = await stage(repeats);
  const homes = [worker("w-0", "127.0.0.2"), worker("w-1", "127.0.0.3")];
  const result = await coordinate();
  expect(result.verdict.reasons.filter((reason) => reason.includes("orker"))).toEqual([]);
  expect(result.counts).toMatchObject({ sent: 150, answered: 150, failed: 0 });
  expect(result.histogram.latency.count).toBe(150);
  expect(result.correctness).toEqual({ checked: 150, wrong: 0 });
  expect(server.seen.requests).toBeGreaterThanOrEqual(150);
  expect(result.environment.clients.map(({ name }) => name)).toEqual(["w-0", "w-1"]);
  expect(result.load.parts).toBe(2);
  expect(parseResult(api.data["result.json"]!)).toEqual(result);
  expect(said.join("\n")).toMatch(/worker w-1: its clock is -?\d+\.\d\d ms ahead/);
  await expect(Promise.all(homes)).resolves.toEqual([undefined, undefined]);
});

test("the parts add up: nothing is lost and nothing counted twice on the way", async () => {
  const { worker, kubernetes, spec, options } = await stage(repeats);
  worker("w-0", "127.0.0.2");
  worker("w-1", "127.0.0.3");
  const workers = await Workers.gather(kubernetes, spec.workers!, token, options);
  const addresses = [{ ip: "127.0.0.1", port: spec.target.port }];
  const parts = await workers.run({ name: "c", target: spec.target, load: spec.load, inputs: [], addresses }, 1, {});
  expect(parts.map(({ name, counts }) => [name, counts.answered])).toEqual([
    ["w-0", 90], // three of the five clients
    ["w-1", 60],
  ]);
  await workers.end(true);
});

test("processes: threads in the bundle, names of the nodes, and exit code 0", async () => {
  const { process, coordinate } = await stage({ ...repeats, clients: 4 }, { threads: 2 });
  const program = join(mkdtempSync(join(tmpdir(), "bundle-")), "client.cjs");
  writeFileSync(program, (await bundleClient()).code);
  const workers = [process("w-0", "127.0.0.2", { program }), process("w-1", "127.0.0.3", { program })];
  const result = await coordinate();
  expect(result.counts).toMatchObject({ sent: 120, answered: 120 });
  expect(result.environment.clients.map(({ name, node }) => [name, node])).toEqual([
    ["w-0/0", "node of w-0"],
    ["w-0/1", "node of w-0"],
    ["w-1/0", "node of w-1"],
    ["w-1/1", "node of w-1"],
  ]);
  for (const { ended } of workers) expect(await ended).toMatchObject({ code: 0 });
});

test("a worker that is killed makes the result INVALID with its name, and the rest is merged", async () => {
  const { process, coordinate, server, workers } = await stage(open(100, 3));
  const [alive, killed] = [process("w-0", "127.0.0.2"), process("w-1", "127.0.0.3")];
  const done = coordinate();
  await until(() => server.seen.requests > 120);
  workers[1] = workerPod("w-1", "127.0.0.3", {
    phase: "Failed",
    containerStatuses: [
      { imageID: "", restartCount: 0, state: { terminated: { reason: "OOMKilled", exitCode: 137 } } },
    ],
  });
  killed.child.kill("SIGKILL");
  const result = await done;
  expect(result.verdict.valid).toBe(false);
  expect(result.verdict.reasons).toContainEqual(
    expect.stringMatching(
      /^Worker pod w-1 was lost while it measured: .+; the pod ended \(OOMKilled, exit code 137\)\. What it measured is missing\.$/,
    ),
  );
  expect(result.counts.answered).toBe(150); // the half of 100/s for 3 s
  expect(await alive.ended).toMatchObject({ code: 0 });
});

test("a worker that says nothing any more is given up", async () => {
  const { process, coordinate, server } = await stage(open(50, 2));
  process("w-0", "127.0.0.2");
  const silent = process("w-1", "127.0.0.3");
  const done = coordinate();
  await until(() => server.seen.requests > 40);
  silent.child.kill("SIGSTOP");
  const { verdict, counts } = await done;
  expect(verdict.reasons).toContainEqual(
    expect.stringMatching(/^Worker pod w-1 was lost while it measured: no word from it for 10 s; the pod is Running\./),
  );
  expect(counts.answered).toBe(50);
});

test("a clock that is set wrong is measured and taken out of the times", async () => {
  const { process, worker, coordinate } = await stage(open(40, 1));
  const hour = 3_600_000;
  const ahead = `data:text/javascript,Object.defineProperty(performance, "timeOrigin", { value: performance.timeOrigin + ${hour} })`;
  worker("w-0", "127.0.0.2");
  process("w-1", "127.0.0.3", { execArgv: ["--import", ahead] });
  const before = Date.now();
  const result = await coordinate();
  const [right, wrong] = result.environment.clients.map(({ clockOffsetMs }) => clockOffsetMs);
  expect(Math.abs(right!)).toBeLessThan(1000);
  expect(Math.abs(wrong! - hour)).toBeLessThan(1000);
  expect(Date.parse(result.startedAt)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(result.endedAt)).toBeLessThanOrEqual(Date.now());
  expect(result.load.achieved.durationSeconds).toBeCloseTo(1, 2);
  expect(result.counts).toMatchObject({ sent: 40, answered: 40, unsent: 0 });
});

test("a change of the rate reaches every worker at the same time", async () => {
  const { process, kubernetes, spec, options } = await stage(open(20, 3));
  process("w-0", "127.0.0.2");
  process("w-1", "127.0.0.3");
  const workers = await Workers.gather(kubernetes, spec.workers!, token, options);
  const rates = new Rates();
  let ticks = 0;
  const parts = await workers.run(
    {
      name: "c",
      target: spec.target,
      load: spec.load,
      inputs: [],
      addresses: [{ ip: "127.0.0.1", port: spec.target.port }],
    },
    1,
    {
      rate: rates,
      onTick: (tick) => {
        if (ticks++ === 0) rates.push({ at: Date.now() + 700, rate: 80 });
        expect(tick.requestedRate).not.toBeNull();
      },
    },
  );
  await workers.end(true);
  expect(rates.changes).toHaveLength(1);
  expect(parts.map(({ segments }) => segments.map(({ rate }) => rate))).toEqual([
    [10, 40],
    [10, 40],
  ]);
  const [first, second] = parts.map(({ segments }) => segments[1]!);
  expect(Math.abs(first!.from - second!.from)).toBeLessThan(1);
  expect(Math.abs(first!.from - rates.changes[0]!.at)).toBeLessThan(1);
  for (const { sent, scheduled } of [first!, second!]) expect(sent).toBe(scheduled);
});

test("the control endpoint changes the rate of all workers, and the result says when", async () => {
  const port = await freePort();
  const { worker, coordinate } = await stage(open(20, 3), { control: { port } });
  worker("w-0", "127.0.0.2");
  worker("w-1", "127.0.0.3");
  const done = coordinate();
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { authorization: `Bearer ${token}` } });
  const status = async () =>
    (await (await call("/status").catch(() => new Response("{}"))).json()) as { phase?: string };
  for (;;) {
    const { phase } = await status();
    if (phase === "measuring") break;
    await new Promise((next) => setTimeout(next, 50));
  }
  expect((await call("/rate", { method: "PUT", body: '{"rate": 60}' })).status).toBe(200);
  const { events, segments, counts } = await done;
  expect(events).toEqual([{ atSeconds: expect.any(Number), rate: 60 }]);
  expect(segments.map(({ requestedRate }) => requestedRate)).toEqual([20, 60]);
  expect(segments[1]!.startSeconds).toBeCloseTo(events[0]!.atSeconds, 2);
  expect(counts.unsent).toBe(0);
  await expect(status()).resolves.toEqual({}); // closed with the run
});

test("an interrupted run gathers what the workers have", async () => {
  const { worker, coordinate, server } = await stage(open(100, 60));
  worker("w-0", "127.0.0.2");
  worker("w-1", "127.0.0.3");
  const interrupt = new AbortController();
  const done = coordinate({ signal: interrupt.signal });
  await until(() => server.seen.requests > 150);
  interrupt.abort();
  const { verdict, counts } = await done;
  expect(counts.answered).toBeGreaterThan(50);
  expect(verdict.reasons.join("\n")).toMatch(/The run ended after/);
});

describe("nothing is measured, with one sentence and in bounded time,", () => {
  test("when a worker never appears", async () => {
    const { worker, coordinate, api } = await stage(repeats);
    worker("w-0", "127.0.0.2");
    await expect(coordinate({ workerSeconds: 0.3 })).rejects.toThrow(
      /^Nothing was measured: after 0\.3 s only 1 of 2 worker pods run in namespace serving \(app=worker\)\./,
    );
    expect(api.data).toEqual({});
  });

  test("when a worker has failed before", async () => {
    const { workers, coordinate } = await stage(repeats);
    workers.push(workerPod("w-0", "127.0.0.2"), workerPod("w-1", "127.0.0.3", { phase: "Failed", reason: "Evicted" }));
    await expect(coordinate()).rejects.toThrow(
      /^Nothing was measured: worker pod w-1 failed \(Evicted\) before the run began\. Workers serve one run; raise benchmark\.rerun/,
    );
  });

  test("when a worker has another token; the others end as failed", async () => {
    const { worker, process, coordinate } = await stage(repeats);
    const home = worker("w-0", "127.0.0.2");
    process("w-1", "127.0.0.3", { given: "another token" });
    await expect(coordinate()).rejects.toThrow(
      /^Nothing was measured: worker pod w-1 does not answer as it should: The request needs the header/,
    );
    await expect(home).rejects.toThrow("The coordinator could not measure; its log says why.");
  });

  test("when the workers cannot reach the server; they end as failed", async () => {
    const { process, coordinate, spec } = await stage(repeats);
    (spec.target as { port: number }).port = await freePort();
    const workers = [process("w-0", "127.0.0.2"), process("w-1", "127.0.0.3")];
    await expect(coordinate()).rejects.toThrow(
      /^Nothing was measured\. Worker pod w-\d could not measure: .*127\.0\.0\.1:\d+/s,
    );
    for (const { ended } of workers)
      expect(await ended).toMatchObject({
        code: 1,
        output: expect.stringContaining("The coordinator could not measure"),
      });
  });

  test("when all workers die", async () => {
    const { process, coordinate, server } = await stage(open(100, 3));
    const workers = [process("w-0", "127.0.0.2"), process("w-1", "127.0.0.3")];
    const done = coordinate();
    done.catch(() => {});
    await until(() => server.seen.requests > 100);
    for (const { child } of workers) child.kill("SIGKILL");
    await expect(done).rejects.toThrow(/^Nothing was measured\. Worker pod w-0 was lost .* Worker pod w-1 was lost /);
  });

  test("when nobody ever calls a worker", async () => {
    const { worker } = await stage(repeats);
    await expect(worker("w-0", "127.0.0.2", { idleSeconds: 0.2 })).rejects.toThrow(
      "No coordinator has called this worker within 0.2 s. The benchmark Job's log says what it waited for.",
    );
  });

  test("when the coordinator goes away: its workers do too", async () => {
    const { worker, spec, server } = await stage(open(100, 60));
    const home = worker("w-0", "127.0.0.2");
    const call = (path: string, body: unknown, signal?: AbortSignal) =>
      fetch(`http://127.0.0.2:${spec.workers!.port}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      });
    const { target, load } = spec;
    const experiment = { name: "w-0", target, load, addresses: [{ ip: "127.0.0.1", port: target.port }] };
    const order = { experiment, threads: 1, clockOffsetMs: 0 };
    const gone = new AbortController();
    const run = await call("/run", order, gone.signal);
    expect(run.status).toBe(200);
    expect((await call("/run", order)).status).toBe(409);
    await call("/start", { at: Date.now() });
    await until(() => server.seen.requests > 50);
    gone.abort();
    await expect(run.text()).rejects.toThrow(); // held until here: a reply that nobody holds is closed at any time
    await expect(home).rejects.toThrow("The coordinator went away during the run.");
  });
});

test("a worker does nothing for who has no token", async () => {
  const { spec, worker } = await stage(repeats);
  worker("w-0", "127.0.0.2");
  const url = `http://127.0.0.2:${spec.workers!.port}`;
  for (const path of ["/run", "/rate", "/start", "/stop", "/end"])
    expect((await fetch(url + path, { method: path === "/rate" ? "PUT" : "POST", body: "{}" })).status).toBe(401);
});
