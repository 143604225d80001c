import { samplesNeeded } from "../benchmarks/client/samples.ts";
import type { Occupied } from "../benchmarks/search/objective.ts";
import { settingsOf } from "../benchmarks/sweep/axes.ts";
import type { Cell } from "../benchmarks/sweep/plan.ts";
import { pointsOf, sweepProblems } from "../benchmarks/sweep/points.ts";
import type { Settings } from "../benchmarks/sweep/store.ts";
import { UserError } from "../error.ts";
import { axisValues, machinesOf } from "./axisValues.ts";
import { checkConfig, type StackConfig } from "./config.ts";
import type { Programs } from "./experiment.ts";
import { type RawConfig, withSettings } from "./settings.ts";
import { cellOf } from "./sweep.ts";

/** A configuration that is searched. */
export interface Configuration {
  readonly settings: Settings;
  readonly occupied: Occupied;
  /** Model servers per node. */
  readonly instances: number;
}

export interface Search {
  readonly request: StackConfig["search"];
  readonly configurations: readonly Configuration[];
  /** What every run sets over the stack's config. */
  readonly common: Settings;
  /** What a run of a configuration at a rate sets besides. */
  runOf(settings: Settings, rate: number): Settings;
  /** The experiment that this is. */
  cellAt(settings: Settings, rate: number): Cell;
}

/** A percentile needs its samples, every VALID run those of p99, and a Poisson schedule may hold fewer than its mean. */
const MARGIN = 1.15;

/**
 * What a stack's search tries.
 *
 * @param raw config of the stack without the project's prefix, as `npm start` completes it
 * @throws UserError with one line for every mistake
 */
export function searchOf(raw: RawConfig, stack: string, programs: Programs): Search {
  const { config, problems } = checkConfig(raw);
  const request = config?.search;
  const grid = { axes: request?.axes ?? {}, where: request?.where ?? [], cells: [] };
  const mistakes = [
    ...problems,
    ...(config ? sweepProblems(grid, axisValues(config)).map((line) => line.replace(/^sweep/, "search")) : []),
    ...(request && request.rates.to < request.rates.from
      ? [`search.rates: to ${request.rates.to} is below from ${request.rates.from}`]
      : []),
  ];
  if (!config || !request || mistakes.length > 0)
    throw new UserError(
      `Stack ${stack} cannot be searched, its config has mistakes:`,
      ...mistakes.map((line) => `  ${line}`),
    );
  const { slo, rates, warmup, duration = config.benchmark.duration } = request;
  const common: Settings = {
    "benchmark.enabled": true,
    "benchmark.rerun": 0,
    ...(warmup === undefined ? {} : { "benchmark.warmup": warmup }),
  };
  const base = withSettings(raw, common);
  const points = Object.keys(grid.axes).length > 0 ? pointsOf(grid, axisValues(config), machinesOf(config)) : [{}];
  const samples = Math.max(samplesNeeded("p99"), samplesNeeded(slo.percentile));
  const runOf = (settings: Settings, rate: number): Settings => ({
    ...settings,
    "benchmark.load.rate": rate,
    "benchmark.duration": Math.max(duration, Math.ceil((MARGIN * samples) / rate)),
  });
  const cellAt = (settings: Settings, rate: number) => cellOf(base, runOf(settings, rate), stack, programs);
  const impossible = points.flatMap((point) =>
    cellAt(settingsOf(point), rates.from).problems.map((line) => `  ${JSON.stringify(point)}: ${line}`),
  );
  if (points.length === 0 || impossible.length > 0)
    throw new UserError(
      `Stack ${stack} cannot be searched, some configurations cannot be; leave them out with search.where:`,
      ...impossible,
    );
  return {
    request,
    common,
    runOf,
    cellAt,
    configurations: points.map((point) => configurationOf(base, settingsOf(point))),
  };
}

function configurationOf(base: RawConfig, settings: Settings): Configuration {
  const { config } = checkConfig(withSettings(base, settings));
  const { cluster, topology, cpus, instances } = config!;
  const nodes = cluster.nodes ?? topology.length;
  return { settings, occupied: { nodes, cores: nodes * cpus }, instances };
}
