import { type Environment, environmentChanges, environmentOf } from "../fingerprint.ts";
import type { Run, Settings, StoredRun } from "./store.ts";

/** What is known of a cell before it is run. */
export interface Experiment {
  /** Key of the experiment with `benchmark.rerun` 0. */
  readonly key: string;
  /** What was chosen, by part. */
  readonly chosen: Readonly<Record<string, string>>;
  /** Equal for cells between which nothing of the servers changes. */
  readonly servers: string;
  /** Load and warm-up of one run, in seconds. */
  readonly measuringSeconds: number;
}

/** A point of the sweep, and what the program makes of its config. */
export interface Cell {
  readonly settings: Settings;
  /** Absent for a cell that cannot be. */
  readonly experiment?: Experiment;
  /** Why it cannot be; one line for each mistake. */
  readonly problems: readonly string[];
}

export type State = "new" | "stale" | "cached" | "impossible";

export interface PlannedCell extends Cell {
  readonly state: State;
  /** Why it has this state; empty where there is nothing to say. */
  readonly reason: string;
  /** Runs that are still to be done. */
  readonly missing: number;
  /** How many more may be INVALID without being one of these. */
  readonly retries: number;
  /** Number that the next run gets. A number is used once, whatever became of it. */
  readonly next: number;
  /** How long that is going to take. */
  readonly seconds: number;
  /** The runs that count. */
  readonly runs: readonly StoredRun[];
}

/** The machine's part of an environment, as far as it can be known without measuring. */
export type Machine = Partial<Pick<Environment, "kernel" | "cpuModel">>;

export interface PlanOptions {
  readonly stack: string;
  /** Runs wanted of each cell. */
  readonly repeats: number;
  /** How often a run that is INVALID is done again; one more of them counts as a run. */
  readonly retries: number;
  readonly machine: Machine;
  /** INVALID runs do not count, so that they are measured again. */
  readonly retryInvalid?: boolean;
}

/** What a cell takes besides measuring where nobody has seen it yet, in seconds. */
const OVERHEAD = { load: 12, servers: 30 };

/** Which cells have to be measured, why, and in which order: grouped by their servers, otherwise as they come. */
export function planSweep(cells: readonly Cell[], stored: readonly StoredRun[], options: PlanOptions): PlannedCell[] {
  const byCell = Map.groupBy(stored, ({ cell }) => cell);
  const bySettings = Map.groupBy(
    stored.filter(({ stack }) => stack === options.stack),
    ({ settings }) => wordOf(settings),
  );
  const overhead = { load: overheadOf(stored, "load"), servers: overheadOf(stored, "servers") };
  const groups = Map.groupBy(cells, ({ experiment }) => experiment?.servers ?? "");
  return [...groups.values()].flatMap((group) => {
    let isFirst = true;
    return group.map((cell) => {
      const planned = planCell(cell, byCell.get(cell.experiment?.key ?? "") ?? [], bySettings, options);
      if (planned.missing === 0) return planned;
      const each = cell.experiment!.measuringSeconds + overhead.load;
      const change = isFirst ? overhead.servers - overhead.load : 0;
      isFirst = false;
      return { ...planned, seconds: Math.round(planned.missing * each + change) };
    });
  });
}

function planCell(
  cell: Cell,
  own: readonly StoredRun[],
  bySettings: ReadonlyMap<string, readonly StoredRun[]>,
  { repeats, retries, machine, retryInvalid }: PlanOptions,
): PlannedCell {
  const { experiment, problems, settings } = cell;
  const nothing = { ...cell, missing: 0, retries, next: 0, seconds: 0, runs: [] };
  if (!experiment) return { ...nothing, state: "impossible", reason: problems.join("; ") };
  const next = own.reduce((most, { run }) => Math.max(most, run + 1), 0);
  const here = runsHere(own, machine);
  const runs = here.filter(({ result }) => result.verdict.valid || !retryInvalid);
  const invalid = runs.filter(({ result }) => !result.verdict.valid).length;
  const done = runs.length - Math.min(invalid, retries);
  const missing = Math.max(0, repeats - done);
  const planned = { ...nothing, missing, retries: Math.max(0, retries - invalid), next, runs };
  if (missing === 0) return { ...planned, state: "cached", reason: verdictsOf(runs) };
  if (runs.length > 0)
    return { ...planned, state: "new", reason: done > 0 ? `${done} of ${repeats} runs are there` : verdictsOf(runs) };
  if (here.length > 0) return { ...planned, state: "stale", reason: verdictsOf(here) };
  const last = own.at(-1) ?? bySettings.get(wordOf(settings))?.at(-1);
  if (!last) return { ...planned, state: "new", reason: "" };
  const reasons = [...choiceChanges(last.chosen, experiment.chosen), ...changesOf(last, machine)];
  return { ...planned, state: "stale", reason: reasons.join("; ") };
}

/** Those that were measured on this machine, as far as it is known. */
export const runsHere = <R extends Run>(runs: readonly R[], machine: Machine): R[] =>
  runs.filter((run) => changesOf(run, machine).length === 0);

/** Equal for equal settings, in whatever order. */
const wordOf = (settings: Settings): string => JSON.stringify(Object.entries(settings).sort());

function changesOf({ result }: Run, machine: Machine): string[] {
  const known = (["kernel", "cpuModel"] as const).filter((key) => machine[key] !== undefined);
  return environmentChanges(environmentOf(result), machine as Required<Machine>, known);
}

/** One phrase for each part that was chosen otherwise. */
export function choiceChanges(before: Experiment["chosen"], now: Experiment["chosen"]): string[] {
  const isHash = (value: string | undefined) => value === undefined || /^[0-9a-f]{10,}$/.test(value);
  return [...new Set([...Object.keys(now), ...Object.keys(before)])].flatMap((part) => {
    const [was, is] = [before[part], now[part]];
    if (was === is) return [];
    return isHash(was) || isHash(is) ? [`${part} changed`] : [`${part} ${is} instead of ${was}`];
  });
}

function verdictsOf(runs: readonly StoredRun[]): string {
  const invalid = runs.filter(({ result }) => !result.verdict.valid);
  if (invalid.length === 0) return "";
  const why = invalid.at(-1)!.result.verdict.reasons[0] ?? "";
  return runs.length === 1 ? `INVALID: ${why}` : `${invalid.length} of ${runs.length} runs INVALID: ${why}`;
}

/** The median of what was seen. */
function overheadOf(stored: readonly StoredRun[], change: "load" | "servers"): number {
  const seen = stored.filter((run) => run.change === change).map(({ overheadSeconds }) => overheadSeconds ?? 0);
  if (seen.length === 0) return OVERHEAD[change];
  return seen.sort((a, b) => a - b)[Math.floor(seen.length / 2)]!;
}
