import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { planSweep } from "../../../benchmarks/sweep/plan.ts";
import { type Deployer, runSweep } from "../../../benchmarks/sweep/run.ts";
import { readRuns, type Settings } from "../../../benchmarks/sweep/store.ts";
import { withSoleLock } from "../../../local/lock.ts";
import { cell, keyOf, resultOf } from "./facts.ts";

let folder: string;
let world: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sweep-"));
  world = mkdtempSync(join(tmpdir(), "world-"));
});
afterEach(() => {
  for (const path of [folder, world]) rmSync(path, { recursive: true });
});

const cells = [1, 2].map((instances) => cell({ instances }));
const deploy = async (settings: Settings, run: number) => ({ result: resultOf(keyOf(settings, run)) });
const options = { stack: "dev", repeats: 1, retries: 1, machine: {} };
/** Plans with what is there and runs what is missing; returns the numbers of the runs that were deployed, by instances. */
async function run(deployer: Partial<Deployer> = {}, signal?: AbortSignal) {
  const deployed: string[] = [];
  const { runs } = await readRuns(folder);
  const outcome = await runSweep(
    planSweep(cells, runs, options),
    {
      keyOf,
      ...deployer,
      deploy(settings, run) {
        deployed.push(`${settings.instances}#${run}`);
        return (deployer.deploy ?? deploy)(settings, run);
      },
    },
    { stack: "dev", folder, say: () => {}, signal },
  );
  return { ...outcome, deployed };
}

describe("a sweep", () => {
  it("measures what is missing, keeps it, and has nothing to do then", async () => {
    expect((await run()).deployed).toEqual(["1#0", "2#0"]);
    expect((await readRuns(folder)).runs.map(({ settings }) => settings.instances).sort()).toEqual([1, 2]);
    expect((await run()).deployed).toEqual([]);
  });

  it("goes on after a cell that failed, says which, and does it the next time", async () => {
    const recovered: string[] = [];
    const failing = (settings: Settings, number: number) =>
      settings.instances === 1 ? Promise.reject(new Error("no image")) : deploy(settings, number);
    const { failed, deployed } = await run({ deploy: failing, recover: async () => void recovered.push("yes") });
    expect(failed.map(({ cell, error }) => [cell.settings.instances, error.message])).toEqual([[1, "no image"]]);
    expect(deployed).toEqual(["1#0", "2#0"]);
    expect(recovered).toEqual(["yes"]);
    expect((await run()).deployed).toEqual(["1#0"]);
  });

  it("does a run that is INVALID again, under a number of its own, and keeps both", async () => {
    const invalid = (settings: Settings, run: number) =>
      Promise.resolve({ result: resultOf(keyOf(settings, run), run === 0 ? { invalid: "It drifted." } : {}) });
    expect((await run({ deploy: invalid })).deployed).toEqual(["1#0", "1#1", "2#0", "2#1"]);
    expect((await readRuns(folder)).runs).toHaveLength(4);
    expect((await run()).deployed).toEqual([]);
  });

  it("does not keep the result of another experiment", async () => {
    const { failed } = await run({ deploy: () => Promise.resolve({ result: resultOf("another") }) });
    expect(failed).toHaveLength(2);
    expect(failed[0]!.error.message).toMatch(/measured experiment another, and not [0-9a-f]{12}/);
    expect((await readRuns(folder)).runs).toEqual([]);
  });

  it("ends after the deployment during which it was told to", async () => {
    const controller = new AbortController();
    const stopping = (settings: Settings, run: number) => {
      controller.abort();
      return deploy(settings, run);
    };
    expect((await run({ deploy: stopping }, controller.signal)).deployed).toEqual(["1#0"]);
    expect((await run()).deployed).toEqual(["2#0"]);
  });
});

/** Starts a runner; `ended` is asked for at once, because a quick machine has it done before it is killed. */
function start() {
  const child = spawn(process.execPath, [join(import.meta.dirname, "runner.child.ts"), folder, world]);
  return { child, ended: new Promise<number | null>((done) => child.once("close", done)) };
}

describe("a sweep that is killed again and again", () => {
  it("loses, doubles and mixes up no cell", async () => {
    for (let kills = 0; kills < 12; kills++) {
      const { child, ended } = start();
      await sleep(150 + Math.random() * 250);
      child.kill("SIGKILL");
      await ended;
    }
    expect(await start().ended).toBe(0);
    const { runs, skipped } = await readRuns(folder);
    expect(skipped).toEqual([]);
    expect(runs).toHaveLength(18); // 9 cells, 2 runs of each
    for (const { settings, run, result } of runs) expect(result.key).toBe(keyOf(settings, run));
    expect(new Set(runs.map(({ result }) => result.key)).size).toBe(18);
    // What had been measured when the runner was killed was not measured again.
    const measured = readFileSync(join(world, "measured"), "utf8").trim().split("\n");
    expect(new Set(measured).size).toBe(18);
    expect(measured.length).toBeLessThanOrEqual(18 + 12);
  });

  it("has one runner at a time; the second is told who it is", async () => {
    await withSoleLock(join(folder, ".lock"), "A sweep", async () => {
      const { child, ended } = start();
      let said = "";
      child.stderr.on("data", (text) => (said += text));
      expect(await ended).not.toBe(0);
      expect(said).toContain(`A sweep is under way already: process ${process.pid} on`);
    });
    expect((await readRuns(folder)).runs).toEqual([]);
  });
});
