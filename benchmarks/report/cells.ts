import { experimentKey } from "../key.ts";
import type { Result } from "../result.ts";
import { axes, axisNames } from "../sweep/axes.ts";
import type { StoredRun } from "../sweep/store.ts";

export type Value = string | number;
/** What a cell is of each dimension, such as `{clients: 4, instances: 2}`; a dimension it does not have is missing. */
export type Dimensions = Readonly<Record<string, Value>>;

/** Repeated runs of one configuration. */
export interface Cell {
  readonly dimensions: Dimensions;
  readonly runs: readonly StoredRun[];
  readonly valid: readonly StoredRun[];
}

/** Groups runs that repeat each other, in order of their dimensions. */
export function cellsOf(runs: readonly StoredRun[]): Cell[] {
  const cells = [...Map.groupBy(runs, configuration).values()].map((own): Cell => {
    return { dimensions: dimensionsOf(own[0]!), runs: own, valid: own.filter(({ result }) => result.verdict.valid) };
  });
  const text = (cell: Cell) => inWords(cell.dimensions);
  return cells.sort((a, b) => text(a).localeCompare(text(b), "en", { numeric: true }));
}

/** The seed and the counter of reruns are what repeated runs differ in; a run of a sweep says itself where it belongs. */
function configuration({ cell, result, settings }: StoredRun): string {
  if (Object.keys(settings).length > 0) return cell;
  const { seed: _, ...load } = result.load.requested;
  return experimentKey({ load, target: result.target, plan: result.plan, about: { ...result.about, rerun: 0 } });
}

/** Settings that the result tells better: what was measured, and not what was set. */
const told = new Set<string>([
  "instances",
  "benchmark.protocol",
  "benchmark.batch",
  "benchmark.clients",
  "benchmark.load.rate",
]);

function dimensionsOf({ result, settings }: StoredRun): Dimensions {
  const { target, plan, load } = result;
  const set = Object.entries(settings).filter(([key]) => !told.has(key));
  const nameOf = (key: string) => axisNames.find((name) => axes[name] === key) ?? key;
  return {
    model: target.model,
    protocol: target.protocol,
    ...(plan ? { instances: plan.instances } : {}),
    ...Object.fromEntries(set.map(([key, value]) => [nameOf(key), typeof value === "boolean" ? String(value) : value])),
    batch: load.requested.batch,
    ...loadDimensions(load.requested),
  };
}

function loadDimensions(load: Result["load"]["requested"]): Dimensions {
  if (load.mode === "closed") return { clients: load.clients };
  if (load.mode === "mlperf") return { scenario: load.scenario, ...(load.targetQps ? { rate: load.targetQps } : {}) };
  const [only, ...more] = load.stages;
  return more.length > 0 ? { stages: load.stages.map(({ rate }) => rate).join("-") } : { rate: only!.rate };
}

/** Dimensions in which cells differ, with their values in order. */
export function varying(cells: readonly Cell[]): Map<string, Value[]> {
  const names = [...new Set(cells.flatMap(({ dimensions }) => Object.keys(dimensions)))];
  const values = (name: string) => [...new Set(cells.flatMap(({ dimensions }) => dimensions[name] ?? []))];
  return new Map(names.map((name) => [name, values(name).sort(inOrder)] as const).filter(([, all]) => all.length > 1));
}

const inOrder = (a: Value, b: Value) =>
  typeof a === "number" && typeof b === "number" ? a - b : `${a}`.localeCompare(`${b}`);

/** `instances 2, clients 4`. @param only the dimensions to name. Default all. */
export function inWords(dimensions: Dimensions, only: Iterable<string> = Object.keys(dimensions)): string {
  return [...only].flatMap((name) => (dimensions[name] === undefined ? [] : `${name} ${dimensions[name]}`)).join(", ");
}

export const throughputOf = ({ result }: Pick<StoredRun, "result">): number => result.throughput.inferencesPerSecond;
export const p99Of = ({ result }: Pick<StoredRun, "result">): number | null => result.latencyMs.p99;

/** Mean over the valid runs; undefined without any. */
export function meanOf(cell: Cell, of: (run: StoredRun) => number | null): number | undefined {
  const values = cell.valid.map(of).filter((value) => value !== null);
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
}
