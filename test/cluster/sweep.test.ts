import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readWinner } from "../../benchmarks/search/outcome.ts";
import { readRuns } from "../../benchmarks/sweep/store.ts";
import { kubectl } from "../../local/cluster/cluster.ts";
import { checkout, state } from "../../local/paths.ts";
import { cli, configs, output, succeed } from "./cli.ts";
import { processOf } from "./kill.ts";

const folder = mkdtempSync(join(tmpdir(), "sweep-"));
/** INVALID runs on a busy machine are not what is tested here. */
const sets = [
  "sweep={}",
  "sweep.axes.clients=[1,2,3]",
  "sweep.warmup=1",
  "sweep.duration=4",
  "sweep.retries=0",
  'benchmark.thresholds={"minRequests":1,"maxDrift":1}',
];
const options = (...more: string[]) => ["--folder", folder, ...configs([...sets, ...more])];

interface Previewed {
  readonly key: string | null;
  readonly state: string;
  readonly reason: string;
  readonly seconds: number;
}
const preview = async (...more: string[]): Promise<Previewed[]> =>
  JSON.parse(await output("sweep", "preview", "--json", ...options(...more))).cells;
const states = (cells: readonly Previewed[]) => cells.map(({ state }) => state);
const results = async () => (await readRuns(folder)).runs;
const servers = async () => {
  const list = JSON.parse(await kubectl(["get", "pods", "-A", "-l", "inference-stack/plan", "-o", "json"]));
  return (list.items as { metadata: { uid: string } }[]).map(({ metadata }) => metadata.uid);
};
/** A runner with its output, to be disturbed or killed. */
function runner(...more: string[]) {
  const child = spawn(process.execPath, [join(checkout, "local", "cli.ts"), "sweep", "run", ...options(...more)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  return { child, said: () => said, ended: new Promise<number | null>((done) => child.once("exit", done)) };
}
const until = async (is: () => boolean | Promise<boolean>) => {
  while (!(await is())) await new Promise((next) => setTimeout(next, 300));
};

const podsOf = async (label: string, phase = "Running"): Promise<string[]> => {
  const at = ["-n", "inference-dev", "-l", label, `--field-selector=status.phase=${phase}`];
  return (await kubectl(["get", "pods", ...at, "-o", "name"]).catch(() => "")).split("\n").filter(Boolean);
};
const killServer = async () => {
  const [pod] = await podsOf("inference-stack/plan");
  await kubectl(["delete", "-n", "inference-dev", pod!, "--grace-period=0", "--force"]);
};
const killClient = async (pod: string) => {
  const uid = await kubectl(["get", "-n", "inference-dev", pod, "-o", "jsonpath={.metadata.uid}"]);
  process.kill(processOf(uid, "/usr/bin/node\0")!, "SIGKILL");
};
/** The pod whose client says that it measures. */
async function measuring(): Promise<string> {
  for (;;) {
    for (const pod of await podsOf("app.kubernetes.io/name=benchmark"))
      if (/^\d+ s: /m.test(await kubectl(["logs", "-n", "inference-dev", pod, "-c", "client"]).catch(() => "")))
        return pod;
    await new Promise((next) => setTimeout(next, 200));
  }
}
function killApiServer() {
  const isOurs = (pid: string) => {
    try {
      const [program = "", ...flags] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return program.endsWith("/kube-apiserver") && flags.some((flag) => flag.includes(`${state.cluster}/`));
    } catch {
      return false; // it has ended meanwhile
    }
  };
  process.kill(Number(readdirSync("/proc").find((name) => /^\d+$/.test(name) && isOurs(name))), "SIGKILL");
}

describe("a sweep on the embedded cluster", () => {
  afterAll(async () => {
    await cli("stop", "--purge");
    rmSync(folder, { recursive: true });
  });

  it("is previewed without a cluster, and refused where a cell cannot be", async () => {
    const cells = await preview();
    expect(states(cells)).toEqual(["new", "new", "new"]);
    for (const { key, seconds } of cells) {
      expect(key).toMatch(/^[0-9a-f]{12}$/);
      expect(seconds).toBeGreaterThan(5);
    }
    const { code, output: said } = await cli("sweep", "preview", ...options("sweep.axes.instances=[1,3]"));
    expect(code).toBe(1);
    expect(said).toMatch(/impossible .*instances 3, clients 2 .*instances: 3 does not divide cpus, which is 1/);
    expect(existsSync(join(folder, ".lock"))).toBe(false);
  });

  it("continues after its runner was killed in the middle of a measurement, and has each cell once", async () => {
    const first = runner();
    await until(async () => (await results()).length === 1 || first.child.exitCode !== null);
    const before = await servers();
    await until(() => /\[2\/3\] clients 2/.test(first.said()));
    const second = await cli("sweep", "run", ...options());
    expect(second.code).toBe(1);
    expect(second.output).toContain(`process ${first.child.pid} on `);
    first.child.kill("SIGKILL");
    await first.ended;
    expect(states(await preview()).sort()).toEqual(["cached", "new", "new"]);

    await succeed("sweep", "run", ...options());
    const runs = await results();
    expect(runs.map(({ settings, run }) => [settings["benchmark.clients"], run]).sort()).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
    for (const { result, settings } of runs)
      expect(result.load.requested).toMatchObject({ clients: settings["benchmark.clients"], durationSeconds: 4 });
    expect(await servers()).toEqual(before); // only the load changed
    expect(states(await preview())).toEqual(["cached", "cached", "cached"]);
  });

  it("takes over what was measured when its runner was killed, and says what is stale", async () => {
    const kept = (await results()).find(({ settings }) => settings["benchmark.clients"] === 3)!;
    rmSync(kept.file);
    await succeed("sweep", "run", ...options());
    const again = (await results()).find(({ settings }) => settings["benchmark.clients"] === 3)!;
    expect(again.result.startedAt).toBe(kept.result.startedAt);
    const stale = await preview("benchmark.seed=2");
    expect(stale.map(({ state, reason }) => `${state}: ${reason}`)).toEqual(
      Array(3).fill("stale: load seed 2 instead of 1"),
    );
  });

  it("has each cell once in the end, whatever was killed while it measured", async () => {
    const more = ["benchmark.seed=3", "sweep.duration=6"];
    const first = runner(...more);
    const kills = [killClient, killServer, killApiServer];
    for (const [cell, kill] of kills.entries()) {
      await until(() => first.said().includes(`[${cell + 1}/3]`) || first.child.exitCode !== null);
      await kill(await measuring());
    }
    await first.ended;
    expect(first.said()).toMatch(/^ {4}failed: [\s\S]*Job \(benchmark-\w+\):\n/m); // its client was killed
    expect(first.said()).toMatch(/INVALID: .*was replaced during the run/);
    await succeed("sweep", "run", ...options(...more));
    expect(states(await preview(...more))).toEqual(["cached", "cached", "cached"]);
    const { runs, skipped } = await readRuns(folder);
    expect(skipped).toEqual([]);
    const own = runs.filter(({ result }) => result.load.requested.seed === 3);
    expect(own.map(({ settings, run }) => [settings["benchmark.clients"], run]).sort()).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
    for (const { result, settings } of own)
      expect(result.load.requested).toMatchObject({ clients: settings["benchmark.clients"], durationSeconds: 6 });
  });

  it("is searched for the highest rate, whose winner is measured afresh and handed on", async () => {
    const slo = ['search={"slo":{"percentile":"p50","latency":5000},"rates":{"from":60,"to":60}}'];
    const lenient = ["maxSlipMs=10000", "maxRateError=1", "maxClientBusy=1"].map(
      (set) => `benchmark.thresholds.${set}`,
    );
    const more = [...lenient, "search.runs=2", "search.confirmations=1", "search.warmup=1", "search.duration=3"];
    const search = () => output("search", "--json", ...options(...slo, ...more));
    const { searched, best } = JSON.parse(await search());
    expect(best).toBe(0);
    expect(searched[0]).toMatchObject({ capacity: { low: 60, high: null }, winner: { rate: 60 } });
    const confirmations = (await results()).filter(({ isConfirmation }) => isConfirmation);
    expect(confirmations.map(({ result }) => result.key)).toEqual(searched[0].winner.results);
    expect(confirmations[0]!.result.load.requested).toMatchObject({ mode: "open", stages: [{ rate: 60 }] });
    expect(readWinner(join(folder, "winner.json"))).toMatchObject({ rate: 60, instances: 1 });
    const all = await results();
    const runs = all.length;
    const at60 = all.filter(({ settings }) => settings["benchmark.load.rate"] === 60);
    for (const { run, result } of at60) expect(result.load.requested.seed).toBe(1 + run); // no two of the same arrivals
    await search();
    expect(await results()).toHaveLength(runs);
  });

  it("is exported for other tools", async () => {
    const out = join(folder, "out");
    const runs = await results(); // those of the search too, which have a rate and no clients
    await succeed("sweep", "export", "--out", out, ...options());
    const names = readdirSync(out);
    expect(names.filter((name) => /^log_n1_i1_c[123]_\d{8}-\d{6}\.txt$/.test(name))).toHaveLength(6);
    expect(names.filter((name) => /^results-\d{6}_\d{6}-[0-9a-f]{12}\.json$/.test(name))).toHaveLength(runs.length);
    rmSync(out, { recursive: true });
  });
});
