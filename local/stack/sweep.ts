import { appendFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { bundleClient } from "../../benchmarks/client/bundle.ts";
import { parseResult, type Result } from "../../benchmarks/result.ts";
import { pointInWords } from "../../benchmarks/sweep/axes.ts";
import { clipperJson, guideLog } from "../../benchmarks/sweep/export.ts";
import { type Machine, type PlannedCell, planSweep } from "../../benchmarks/sweep/plan.ts";
import { type Deployer, runSweep } from "../../benchmarks/sweep/run.ts";
import { readRuns, type Settings, type Skipped, writeWhole } from "../../benchmarks/sweep/store.ts";
import { previewTable, secondsInWords } from "../../benchmarks/sweep/table.ts";
import { bundleFetch } from "../../components/storage/fetch/bundle.ts";
import { UserError } from "../../error.ts";
import { checkConfig } from "../../stacks/config.ts";
import type { Programs } from "../../stacks/experiment.ts";
import { type RawConfig, withSettings } from "../../stacks/settings.ts";
import { cellOf, type Sweep, sweepOf } from "../../stacks/sweep.ts";
import { withLock, withSoleLock } from "../lock.ts";
import { state, stateDir } from "../paths.ts";
import { ensure, type Need, type Toolchain } from "../toolchain/index.ts";
import { completeConfig, mergedConfig, PROJECT, writeStackFile } from "./config.ts";
import { type Engine, openEngine, openStack } from "./engine.ts";
import { unwellPods } from "./failure.ts";
import { needsOf } from "./needs.ts";
import { adoptPending } from "./pending.ts";
import { keepBundle } from "./provenance.ts";
import { bringUp, localConfig, locked, measuring, nodesOf, tell } from "./start.ts";

export interface SweepOptions {
  readonly stack: string;
  /** `key=value` settings over the stack's file. */
  readonly config: readonly string[];
  /** Where results are kept. Default: the instance's own folder for this stack. */
  readonly folder?: string;
  /** INVALID cells are measured again. */
  readonly retryInvalid?: boolean;
}

/** What a sweep needs to know before anything is deployed. */
export interface Prepared {
  readonly options: SweepOptions;
  readonly folder: string;
  readonly needs: readonly Need[];
  readonly tools: Toolchain;
  readonly programs: Programs;
  /** The stack's config as its deployment completes it. */
  readonly raw: RawConfig;
}

/** @param kind config key that says what is measured */
export async function prepareSweep(options: SweepOptions, kind: "sweep" | "search" = "sweep"): Promise<Prepared> {
  const needs = needsOfAll(options, kind);
  const [tools, client, fetch] = await Promise.all([ensure([...needs]), bundleClient(), bundleFetch()]);
  const local = localConfig(options, tools, nodesOf(options));
  const raw = Object.fromEntries(
    Object.entries(mergedConfig(options.stack, local, options.config)).flatMap(([key, value]) =>
      key.startsWith(`${PROJECT}:`) ? [[key.slice(PROJECT.length + 1), value]] : [],
    ),
  );
  return {
    options,
    folder: options.folder ?? join(state.sweeps, options.stack),
    needs,
    tools,
    programs: { client, fetch },
    raw,
  };
}

interface Planned {
  readonly sweep: Sweep;
  readonly cells: readonly PlannedCell[];
  readonly skipped: readonly Skipped[];
}

async function planned({ options, folder, programs, raw }: Prepared): Promise<Planned> {
  const { stack, retryInvalid } = options;
  const sweep = sweepOf(raw, stack, programs);
  const { runs, skipped } = await readRuns(folder);
  const { repeats, retries } = sweep.config.sweep;
  const cells = planSweep(sweep.cells, runs, { stack, repeats, retries, retryInvalid, machine: machineOf(raw) });
  return { sweep, cells, skipped };
}

/** On the embedded cluster the nodes are this machine. */
export function machineOf({ cluster }: RawConfig): Machine {
  const isHere = (cluster as { kind?: string } | undefined)?.kind === "embedded";
  return isHere ? { kernel: release(), cpuModel: cpus()[0]?.model ?? "unknown" } : {};
}

/** What would be measured, and why. Exit code 1 where the sweep is refused. */
export async function previewSweep(options: SweepOptions & { readonly json?: boolean }): Promise<number> {
  const prepared = await prepareSweep(options);
  const { sweep, cells, skipped } = await planned(prepared);
  if (options.json) {
    const list = cells.map(({ experiment, state, reason, seconds, settings }) => ({
      key: experiment?.key ?? null,
      state,
      reason,
      seconds,
      settings,
    }));
    const seconds = list.reduce((sum, cell) => sum + cell.seconds, 0);
    console.log(JSON.stringify({ cells: list, seconds, skipped }, null, 2));
  } else {
    console.log(previewTable(cells));
    nameSkipped(skipped);
  }
  const refusal = refused(sweep, cells);
  // The table has said of each why.
  if (refusal) console.error(`\nerror: ${options.json ? refusal.message : refusal.message.split(":\n")[0]}`);
  return refusal ? 1 : 0;
}

/** Measures what is missing. Exit code 1 where a deployment failed. */
export async function sweepRun(options: SweepOptions): Promise<number> {
  const prepared = await prepareSweep(options);
  return asOnlyRunner(prepared, async () => {
    const { sweep, cells, skipped } = await planned(prepared);
    nameSkipped(skipped);
    const refusal = refused(sweep, cells);
    if (refusal) throw refusal;
    const todo = cells.filter(({ missing }) => missing > 0);
    const seconds = todo.reduce((sum, cell) => sum + cell.seconds, 0);
    console.log(`Sweep of ${cells.length} cells, ${todo.length} to measure: about ${secondsInWords(seconds)}`);
    if (todo.length === 0) return 0;
    const deployer = await openDeployer(prepared, sweep.common);
    const { measured, failed } = await runSweep(cells, deployer, {
      stack: options.stack,
      folder: prepared.folder,
      say: tell,
      signal: interruption(),
    });
    console.log(`${measured.length} runs measured, ${failed.length} cells failed; results are in ${prepared.folder}`);
    return failed.length > 0 ? 1 : 0;
  });
}

/** Writes what was measured, whatever the sweep is now, in the formats of other tools. */
export async function exportSweep(
  { stack, folder = join(state.sweeps, stack) }: SweepOptions,
  out: string,
): Promise<number> {
  const { runs, skipped } = await readRuns(folder);
  nameSkipped(skipped);
  const files = runs.flatMap((run) => [guideLog(run), clipperJson(run)]).filter((file) => file !== undefined);
  for (const { name, text } of files) writeWhole(join(out, name), text);
  console.log(`${runs.length} results of ${folder}: ${files.length} files in ${out}`);
  return runs.length > 0 ? 0 : 1;
}

/** The first Ctrl-C lets the engine end in good order (it gets the signal too); nothing further is begun. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    console.log("  interrupted: ends after what is under way; `run` continues here");
    controller.abort();
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  return controller.signal;
}

/** One runner for a folder, and one command for an instance. */
export const asOnlyRunner = <T>({ folder, options }: Prepared, work: () => Promise<T>): Promise<T> =>
  withSoleLock(join(folder, ".lock"), `A sweep of stack ${options.stack}`, () => locked(work));

/** Deploys cells to the stack, with one engine call for each. */
export async function openDeployer(prepared: Prepared, common: Settings): Promise<Deployer> {
  const { options, needs, tools, programs, raw } = prepared;
  const base = withSettings(raw, common);
  const log = join(stateDir, "sweep.log");
  const { engineIdle, openAutomation } = await import("./automation.ts"); // loads for a second, which a preview need not wait for
  let shapes = "";
  let automation: Stack | undefined;
  let engine: Engine | undefined;
  const { seed } = checkConfig(base).config!.benchmark; // a sweep with mistakes does not come here
  // Repeated runs see other arrivals, or what they have in common would pass for what is always so.
  const settingsOf = (settings: Settings, run: number) => ({
    ...common,
    ...settings,
    "benchmark.rerun": run,
    "benchmark.seed": seed + run,
  });
  const experimentOf = (settings: Settings, run: number) =>
    cellOf(base, settingsOf(settings, run), options.stack, programs).experiment!;
  return {
    keyOf: (settings, run) => experimentOf(settings, run).key,

    async deploy(settings, run) {
      const sets = [...options.config, ...words(settingsOf(settings, run))];
      // How many nodes serve is the program's matter; the cluster keeps those it has.
      const cluster = { ...options, config: [...options.config, ...words(settings, "cluster.nodes")] };
      const nodes = nodesOf(cluster);
      if (nodes && JSON.stringify(nodes) !== shapes) await bringUp(cluster, needs, tools, nodes);
      shapes = JSON.stringify(nodes);
      const file = writeStackFile(options.stack, localConfig(cluster, tools, nodes), sets);
      if (!automation) {
        await engineIdle(() => tell("waiting for the engine of a run that was killed to end"));
        engine = await openEngine(tools.pulumi);
        await openStack(engine, options.stack);
        await adoptPending(engine, options.stack, file);
        automation = await openAutomation(engine, options.stack);
      }
      const asked = Date.now();
      let waitedSeconds = 0;
      const { outputs } = await withLock(
        measuring,
        () => {
          waitedSeconds = (Date.now() - asked) / 1000;
          return automation!.up({
            configFile: file,
            onOutput: (text) => appendFileSync(log, text),
            showSecrets: false,
            suppressOutputs: true,
          });
        },
        () => tell("waiting for another measurement on this machine to end"),
      ).catch((error: Error) => Promise.reject(new UserError(diagnostics(error.message, log))));
      return { result: parseResult(JSON.stringify(outputs.benchmark?.value as Result)), waitedSeconds };
    },

    async kept({ settings, run, result }, resultFile) {
      const { stack } = options;
      const { chosen } = experimentOf(settings, run);
      const sets = [...options.config, ...words(settingsOf(settings, run))];
      const complete = completeConfig(stack, localConfig(options, tools, nodesOf(options)), sets);
      const config = mergedConfig(stack, {}, sets);
      await keepBundle(engine!, { stack, config, complete, chosen, result, resultFile }).catch((error: Error) =>
        tell(`what it comes from could not be kept: ${error.message}`),
      );
    },

    async recover() {
      const why = nodesOf(options) ? await unwellPods().catch(() => "") : "";
      if (why) console.log(why);
      shapes = "";
      automation = undefined;
    },
  };
}

/** `key=value` of all but some settings. */
const words = (settings: Settings, ...but: readonly string[]): string[] =>
  Object.entries(settings).flatMap(([key, value]) => (but.includes(key) ? [] : [`${key}=${JSON.stringify(value)}`]));

/** What the engine said of the resources that failed, or the end of what it said. */
function diagnostics(message: string, log: string): string {
  const said = message.split(/^ *Diagnostics:$/m)[1]?.split(/^ *Resources:$/m)[0] ?? "";
  const lines = said
    .split("\n")
    .filter((line) => line.trim() && !/pulumi:pulumi:Stack|error: update failed/.test(line));
  return [...(lines.length > 0 ? lines : message.trim().split("\n").slice(-6)), `all of it is in ${log}`].join(
    "\n    ",
  );
}

/** Where some cells cannot be and the sweep does not skip such, it is refused as a whole. */
function refused({ config }: Sweep, cells: readonly PlannedCell[]): UserError | undefined {
  const impossible = cells.filter(({ state }) => state === "impossible");
  const isAll = impossible.length === cells.length;
  if (impossible.length === 0 || (config.sweep.impossible === "skip" && !isAll)) return undefined;
  const how = isAll ? "" : "; leave them out with sweep.where, or set sweep.impossible to skip";
  return new UserError(
    `${impossible.length} of ${cells.length} cells cannot be${how}:`,
    ...impossible.slice(0, 10).map(({ settings, reason }) => `  ${pointInWords(settings)}: ${reason}`),
    ...(impossible.length > 10 ? [`  and ${impossible.length - 10} more`] : []),
  );
}

export function nameSkipped(skipped: readonly Skipped[]): void {
  for (const { file, why } of skipped) console.error(`skipped ${file}: ${why}`);
}

/** Every kind of server of the sweep needs its image. */
function needsOfAll({ stack, config }: SweepOptions, kind: string): Need[] {
  const sweep = mergedConfig(stack, {}, config)[`${PROJECT}:${kind}`] as
    | { axes?: { server?: string[] }; cells?: { server?: string }[] }
    | undefined;
  const kinds = [...(sweep?.axes?.server ?? []), ...(sweep?.cells ?? []).flatMap(({ server }) => server ?? [])];
  return [
    ...new Set(
      [needsOf(stack, config), ...kinds.map((kind) => needsOf(stack, [...config, `server.kind=${kind}`]))].flat(),
    ),
  ];
}
