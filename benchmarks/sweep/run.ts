import { fingerprintOf } from "../fingerprint.ts";
import type { Result } from "../result.ts";
import { pointInWords } from "./axes.ts";
import type { Cell, Experiment, PlannedCell } from "./plan.ts";
import { type Run, type Settings, writeRun } from "./store.ts";

/** What brings a cell about: a deployment of the program with its settings. */
export interface Deployer {
  /** The key that this run's result must have. */
  keyOf(settings: Settings, run: number): string;
  /**
   * Deploys the program with these settings, which measures, and returns what it measured. Deployed once more the same settings and
   * run give the same result.
   */
  deploy(settings: Settings, run: number): Promise<Deployment>;
  /** Called with what was kept, and the path of its file, while it is still deployed. */
  kept?(run: Run, file: string): Promise<void>;
  /** Called after a deployment that failed, before the next one. */
  recover?(): Promise<void>;
}

export interface Deployment {
  readonly result: Result;
  /** How long it had to wait for others, in seconds. Default 0. */
  readonly waitedSeconds?: number;
}

export interface RunOptions {
  readonly stack: string;
  readonly folder: string;
  readonly say: (line: string) => void;
  /** No further deployment is begun. */
  readonly signal?: AbortSignal;
}

export interface Outcome {
  readonly measured: readonly Run[];
  /** Cells whose deployment failed, and what it said. */
  readonly failed: readonly { readonly cell: PlannedCell; readonly error: Error }[];
}

/**
 * Does what is missing of a planned sweep, one deployment after the other, and keeps each result as soon as it is there. Whatever
 * ends this, the next plan finds exactly what was kept: a run that was under way has the number it had, and so the same key.
 */
export async function runSweep(
  cells: readonly PlannedCell[],
  deployer: Deployer,
  options: RunOptions,
): Promise<Outcome> {
  const { say, signal } = options;
  const todo = cells.filter(({ missing }) => missing > 0);
  const measured: Run[] = [];
  const failed: { cell: PlannedCell; error: Error }[] = [];
  let deployed: Experiment | undefined;
  for (const [index, cell] of todo.entries()) {
    if (signal?.aborted) break;
    say(`[${index + 1}/${todo.length}] ${pointInWords(cell.settings)}`);
    let left = cell.missing;
    let { retries } = cell;
    for (let run = cell.next; left > 0 && !signal?.aborted; run++) {
      try {
        const done = await measureCell(cell, run, deployer, deployed, options);
        deployed = cell.experiment;
        measured.push(done);
        say(`  ${inWords(done)}`);
        if (done.result.verdict.valid || retries-- === 0) left--;
      } catch (error) {
        if (signal?.aborted) break;
        failed.push({ cell, error: error as Error });
        say(`  failed: ${(error as Error).message}`);
        deployed = undefined;
        await deployer.recover?.();
        break;
      }
    }
  }
  return { measured, failed };
}

/**
 * One deployment, kept.
 *
 * @param before what was deployed before, if that is known
 */
export async function measureCell(
  { settings, experiment }: Cell,
  run: number,
  deployer: Deployer,
  before: Experiment | undefined,
  { stack, folder, isConfirmation }: Pick<RunOptions, "stack" | "folder"> & Pick<Run, "isConfirmation">,
): Promise<Run> {
  const { key, chosen, servers } = experiment!;
  const began = Date.now();
  const { result, waitedSeconds = 0 } = await deployer.deploy(settings, run);
  const seconds = Math.round((Date.now() - began) / 100 - waitedSeconds * 10) / 10;
  const expected = deployer.keyOf(settings, run);
  if (result.key !== expected)
    throw new Error(`the deployment measured experiment ${result.key}, and not ${expected}; it is not kept`);
  const isOurs = Date.parse(result.startedAt) >= began;
  const kept: Run = {
    cell: key,
    run,
    stack,
    settings,
    chosen,
    fingerprint: fingerprintOf(result),
    ...(isConfirmation ? { isConfirmation } : {}),
    ...(isOurs ? { seconds, overheadSeconds: overheadOf(result, seconds) } : {}),
    ...(isOurs && before ? { change: before.servers === servers ? "load" : "servers" } : {}),
    result,
  };
  const file = writeRun(folder, kept);
  await deployer.kept?.(kept, file);
  return kept;
}

/** What a deployment took besides warm-up and measuring, in seconds. */
export function overheadOf({ startedAt, endedAt, load }: Result, seconds: number): number {
  const measuring = (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
  return Math.round((seconds - measuring - load.requested.warmupSeconds) * 10) / 10;
}

export function inWords({ result, overheadSeconds, change }: Run): string {
  const { throughput, latencyMs, verdict } = result;
  const p99 = latencyMs.p99 === null ? "" : `, p99 ${latencyMs.p99.toFixed(1)} ms`;
  const overhead =
    overheadSeconds === undefined ? "" : ` (${overheadSeconds} s besides${change ? `, ${change} changed` : ""})`;
  const judged = verdict.valid ? "VALID" : `INVALID: ${verdict.reasons.join(" ")}`;
  return `${throughput.inferencesPerSecond.toFixed(1)} inferences/s${p99}, ${judged}${overhead}`;
}
