import type { ExperimentArgs } from "../benchmarks/benchmark.ts";
import { experimentKey } from "../benchmarks/key.ts";
import type { Load } from "../benchmarks/spec.ts";
import { pointInWords, settingsOf } from "../benchmarks/sweep/axes.ts";
import type { Cell } from "../benchmarks/sweep/plan.ts";
import { pointsOf } from "../benchmarks/sweep/points.ts";
import type { Settings } from "../benchmarks/sweep/store.ts";
import { UserError } from "../error.ts";
import { axisValues, machinesOf } from "./axisValues.ts";
import { checkConfig, type StackConfig } from "./config.ts";
import { experimentOf, type Programs } from "./experiment.ts";
import { type RawConfig, withSettings } from "./settings.ts";

export interface Sweep {
  readonly config: StackConfig;
  /** What all cells set over the stack's config. */
  readonly common: Settings;
  readonly cells: readonly Cell[];
}

/**
 * The cells of a stack's sweep. Nothing is deployed: what a cell's deployment would be is computed from its config.
 *
 * @param raw config of the stack without the project's prefix, as `npm start` completes it
 * @throws UserError with one line for every mistake in the stack's own config
 */
export function sweepOf(raw: RawConfig, stack: string, programs: Programs): Sweep {
  const { config, problems } = checkConfig(raw);
  if (!config || problems.length > 0)
    throw new UserError(
      `Stack ${stack} cannot be swept, its config has mistakes:`,
      ...problems.map((line) => `  ${line}`),
    );
  const { sweep } = config;
  const points = pointsOf(sweep, axisValues(config), machinesOf(config));
  if (points.length === 0)
    throw new UserError(
      `Stack ${stack} has no sweep: give sweep.axes, sweep.cells or sweep.preset in Pulumi.${stack}.yaml, such as \`inference-stack:sweep: { axes: { clients: [1, 2, 4] } }\`.`,
    );
  const common = commonSettings(sweep);
  const base = withSettings(raw, common);
  const cells = points.map((point) => cellOf(base, settingsOf(point), stack, programs));
  return { config, common, cells: withoutTwins(cells) };
}

/** Two cells that are one experiment would share its results: an axis that changes nothing is a mistake. */
function withoutTwins(cells: readonly Cell[]): Cell[] {
  const byKey = new Map<string, Cell>();
  return cells.map((cell) => {
    const { experiment, settings } = cell;
    const twin = experiment && byKey.get(experiment.key);
    if (experiment && !twin) byKey.set(experiment.key, cell);
    if (!twin) return cell;
    return { settings, problems: [`it is the same experiment as ${pointInWords(twin.settings)}`] };
  });
}

function commonSettings({ warmup, duration }: StackConfig["sweep"]): Settings {
  return {
    "benchmark.enabled": true,
    "benchmark.rerun": 0,
    ...(warmup === undefined ? {} : { "benchmark.warmup": warmup }),
    ...(duration === undefined ? {} : { "benchmark.duration": duration }),
  };
}

/** What deploying these settings would measure. */
export function cellOf(base: RawConfig, settings: Settings, stack: string, programs: Programs): Cell {
  const { sweep: _, ...chosen } = withSettings(base, settings);
  const { config, problems } = checkConfig(chosen);
  if (!config || problems.length > 0) return { settings, problems };
  const { args, spec } = experimentOf(config, stack, programs);
  return {
    settings,
    problems: [],
    experiment: {
      key: spec.key,
      chosen: chosenOf(args),
      servers: experimentKey([args.service.pods, args.plan.hash]),
      measuringSeconds: args.load.warmupSeconds + (lengthOf(args.load) ?? UNKNOWN_SECONDS),
    },
  };
}

/** Assumed where the length follows from the server's speed. */
const UNKNOWN_SECONDS = 60;

/** Length of the measured interval, where the load says it. */
export function lengthOf(load: Load): number | undefined {
  if (load.mode === "open") return load.stages.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  return load.mode === "mlperf" ? load.minDurationSeconds : load.durationSeconds;
}

/** The experiment by parts, in the words in which a change of one is told. */
function chosenOf({ service, plan, image, client, inputs, target, load, thresholds, threads, pods }: ExperimentArgs) {
  const servers = JSON.stringify(service.pods).replaceAll(service.image, "").replaceAll(inputs.program, "");
  const { protocol, ...rest } = target;
  const loadParts = Object.entries(load).map(([key, value]) => [`load ${key}`, JSON.stringify(value)]);
  return {
    image: service.image,
    "client code": client.hash.slice(0, 12),
    "client image": image,
    "fetch program": inputs.program.replace(/^fetch-/, ""),
    model: inputs.prefix,
    "CPU plan": plan.hash,
    servers: experimentKey(servers),
    protocol,
    target: experimentKey(rest),
    ...Object.fromEntries(loadParts),
    thresholds: experimentKey(thresholds),
    "load generators": `${pods} x ${threads}`,
  };
}
