import { execFile } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { afterEach, expect, test, vi } from "vitest";
import { assemble } from "../../../benchmarks/client/assemble.ts";
import { merge } from "../../../benchmarks/client/merge.ts";
import { dueTimes } from "../../../benchmarks/client/pacer.ts";
import type { Sample, Tick } from "../../../benchmarks/client/recorder.ts";
import { runThreads } from "../../../benchmarks/client/threads.ts";
import { defaultThresholds } from "../../../benchmarks/client/thresholds.ts";
import type { OpenLoop } from "../../../benchmarks/spec.ts";
import { experiment, restServer, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // it may run on a busy machine

const running: TestServer[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));
async function start(...args: Parameters<typeof restServer>): Promise<TestServer> {
  const server = await restServer(...args);
  running.push(server);
  return server;
}
const open: OpenLoop = {
  ...{ mode: "open", arrivals: "poisson", connections: 8, warmupSeconds: 0.2, seed: 3 },
  stages: [{ rate: 200, durationSeconds: 1 }],
};
const judged = (parts: Parameters<typeof merge>[0], { load, target }: ReturnType<typeof experiment>) =>
  assemble(merge(parts, { load, target, events: [] }), {
    ...{ key: "", plan: null, about: {}, servers: [], seen: [] },
    thresholds: defaultThresholds,
  });

test("threads together send the schedule once, with the inputs one thread would have drawn", async () => {
  const { port, seen } = await start({ delayMs: 1 });
  const plan = experiment("v2-rest", port, open);
  const samples: Sample[] = [];
  const onSamples = (block: readonly Sample[]) => samples.push(...block);
  const parts = await runThreads(plan, 3, { onSamples });
  expect(parts.map(({ name }) => name)).toEqual(["test/0", "test/1", "test/2"]);
  const due = [...dueTimes(open)];
  const { counts, load, correctness } = merge(parts, { load: open, target: plan.target, events: [] });
  expect(counts).toMatchObject({ sent: due.length, answered: due.length, unsent: 0 });
  expect(load).toMatchObject({ parts: 3, schedule: { requests: due.length } });
  expect(correctness).toEqual({ checked: due.length, wrong: 0 });
  expect(seen.requests).toBe(counts.sent + counts.warmup + 3);
  const measured = samples.filter((sample) => sample.measured).sort((a, b) => a.dueAt - b.dueAt);
  const from = measured[0]!.dueAt - due[0]!;
  const off = measured.map(({ dueAt }, i) => Math.abs(dueAt - from - due[i]!));
  expect(Math.max(...off)).toBeLessThan(1); // each thread has a clock of its own, set at its start

  const alone: Sample[] = [];
  await runThreads(plan, 1, { onSamples: (block) => alone.push(...block) });
  const names = (list: readonly Sample[]) =>
    list
      .filter((sample) => sample.measured)
      .sort((a, b) => a.dueAt - b.dueAt)
      .map(({ input }) => input)
      .sort();
  expect(names(samples)).toEqual(names(alone));
});

test("a thread that dies makes the run INVALID with its name, and the others go on", async () => {
  const { port } = await start({ delayMs: 1 });
  const plan = experiment("v2-rest", port, { clients: 4, warmupSeconds: 0, durationSeconds: 1.5 });
  const workers: Worker[] = [];
  const collect = (worker: Worker) => workers.push(worker);
  process.on("worker", collect);
  try {
    const run = runThreads(plan, 2, {
      async onReady() {
        setTimeout(() => workers[1]!.terminate(), 600);
        return undefined;
      },
    });
    const parts = await run;
    expect(parts[0]!.counts.answered).toBeGreaterThan(20);
    expect(parts[1]!.counts.sent).toBe(0);
    const { verdict } = judged(parts, plan);
    expect(verdict.valid).toBe(false);
    expect(verdict.reasons).toContain("Thread test/1 died while it measured: it ended with code 1.");
  } finally {
    process.off("worker", collect);
  }
});

test("what cannot be measured is one clear sentence, and no thread stays", async () => {
  const { port, stop } = await start();
  const workers: Worker[] = [];
  const collect = (worker: Worker) => workers.push(worker);
  process.on("worker", collect);
  try {
    const plan = experiment("v2-rest", port, open);
    await expect(runThreads({ ...plan, target: { ...plan.target, model: "nobody" } }, 2)).rejects.toThrow(
      /did not answer the first request to model "nobody": http 404/,
    );
    await expect(runThreads(experiment("v2-rest", port, { clients: 2 }), 3)).rejects.toThrow(
      "2 clients cannot be shared by 3 threads or pods; each needs at least one.",
    );
    await stop();
    await expect(runThreads(plan, 2)).rejects.toThrow(/Cannot connect to 127\.0\.0\.1/);
    expect(workers).toHaveLength(7);
    expect(workers.every(({ threadId }) => threadId === -1)).toBe(true);
  } finally {
    process.off("worker", collect);
  }
});

test("an interruption ends all threads, with what was measured; ticks are of all of them", async () => {
  const { port } = await start({ delayMs: 5 });
  const interrupt = new AbortController();
  const ticks: Tick[] = [];
  const plan = experiment("v2-rest", port, { clients: 4, warmupSeconds: 0, durationSeconds: 30 });
  const parts = await runThreads(plan, 2, {
    signal: interrupt.signal,
    onTick(tick) {
      ticks.push(tick);
      if (ticks.length === 3) interrupt.abort();
    },
  });
  expect(parts.every(({ counts }) => counts.answered > 10)).toBe(true);
  expect(ticks.at(-1)).toMatchObject({ requestedRate: null, failed: 0 });
  expect(ticks.at(-1)!.requestsPerSecond).toBeGreaterThan(5);
  expect(judged(parts, plan).verdict.reasons[0]).toMatch(/^The run ended after \d+\.\d s of the 30 s asked for/);
});

test("a change of the rate takes effect in all threads at its time", async () => {
  const { port } = await start();
  const plan = experiment("v2-rest", port, { ...open, stages: [{ rate: 50, durationSeconds: 2 }] });
  let at = 0;
  const parts = await runThreads(plan, 2, {
    async onReady() {
      const start = performance.timeOrigin + performance.now() + 100;
      at = Math.round(start) + 200 + 1000;
      return Math.round(start);
    },
    rate: {
      subscribe(listener) {
        const timer = setInterval(() => {
          if (at === 0) return;
          clearInterval(timer);
          listener({ at, rate: 300 });
        }, 10);
        return () => clearInterval(timer);
      },
    },
  });
  const { segments, events, counts, load } = merge(parts, {
    load: plan.load,
    target: plan.target,
    events: [{ at, rate: 300 }],
  });
  const due = [...dueTimes(plan.load, [{ at: 1000, rate: 300 }])];
  expect(events).toEqual([{ atSeconds: 1, rate: 300 }]);
  expect(segments).toMatchObject([
    { startSeconds: 0, durationSeconds: 1, requestedRate: 50, sent: due.filter((time) => time < 1000).length },
    { startSeconds: 1, durationSeconds: 1, requestedRate: 300, sent: due.filter((time) => time >= 1000).length },
  ]);
  expect(counts.sent).toBe(due.length);
  expect(load.schedule!.requests).toBe(due.length);
});

test("the same works from a CommonJS bundle of one file", async () => {
  const { port } = await start({ delayMs: 1 });
  const { inputs: _, ...plan } = experiment("v2-rest", port, open);
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  const file = join(folder, "client.cjs");
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { isLoadThread, runThreads } from "./threads.ts";
        const data = Buffer.from(new Float32Array([3, 0, 0]).buffer);
        const inputs = [{ name: "x", datatype: "FP32", shape: [3], data, labels: new Set([3]) }];
        if (!isLoadThread)
          runThreads({ ...${JSON.stringify(plan)}, inputs }, 2).then((parts) =>
            process.stdout.write(JSON.stringify(parts.map(({ name, counts }) => ({ name, counts })))));`,
      resolveDir: join(import.meta.dirname, "../../../benchmarks/client"),
      loader: "ts",
    },
    ...{ bundle: true, write: false, platform: "node", format: "cjs", logLevel: "silent" },
  });
  writeFileSync(file, outputFiles[0]!.text);
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  const parts = JSON.parse(stdout) as { name: string; counts: { sent: number; failed: number } }[];
  expect(parts.map(({ name }) => name)).toEqual(["test/0", "test/1"]);
  expect(parts.reduce((sum, { counts }) => sum + counts.sent, 0)).toBe([...dueTimes(open)].length);
  expect(parts.every(({ counts }) => counts.failed === 0 && counts.sent > 0)).toBe(true);
});
