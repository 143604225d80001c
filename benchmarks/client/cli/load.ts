import { UserError } from "../../../error.ts";
import type { ClosedLoop, Load, MlperfScenario, OpenLoop, ProtocolName } from "../../spec.ts";
import { defaultConnections } from "../pacer.ts";
import { defaultDurationSeconds, defaultWarmupSeconds, guideDefaults } from "./defaults.ts";
import { parseStages } from "./stages.ts";

/** Flags that say what is sent and when; undefined where not given. */
export interface LoadFlags {
  clients?: number;
  clientsNumber?: number;
  repeats?: number;
  duration?: number;
  warmup?: number;
  rate?: number;
  arrivals?: OpenLoop["arrivals"];
  stages?: string;
  connections?: number;
  scenario?: MlperfScenario["scenario"];
  targetQps?: number;
  minDuration?: number;
  minQueries?: number;
  samplesPerQuery?: number;
  latencyBound?: number;
  batch?: number;
  seed?: number;
  timeout?: number;
  threads?: number;
  /** The guide's client: it repeats, and does not run for a time. */
  ingress?: string;
}

type Flag = keyof LoadFlags;

/** Flags that only one kind of load has. Those in `makes` choose it; with none of them it is a closed loop. */
const kinds = {
  closed: { name: "a closed loop", makes: [], own: ["clients", "clientsNumber", "repeats"] },
  open: { name: "an open loop", makes: ["rate", "stages"], own: ["rate", "arrivals", "stages"] },
  mlperf: {
    name: "an MLPerf scenario",
    makes: ["scenario"],
    own: ["scenario", "targetQps", "minDuration", "minQueries", "samplesPerQuery", "latencyBound"],
  },
} as const satisfies Record<Load["mode"], { name: string; makes: readonly Flag[]; own: readonly Flag[] }>;

/**
 * The load that the flags ask for.
 *
 * @param inputs number of inputs: a repeat sends each once
 * @throws UserError if flags contradict each other
 */
export function parseLoad(flags: LoadFlags, { inputs, protocol }: { inputs: number; protocol: ProtocolName }): Load {
  const mode = kindOf(flags);
  const common = {
    warmupSeconds: flags.warmup ?? defaultWarmupSeconds,
    seed: flags.seed ?? 1,
    ...(flags.batch !== undefined && { batch: flags.batch }),
    ...(flags.timeout !== undefined && { timeoutSeconds: flags.timeout }),
  };
  const load =
    mode === "closed"
      ? closedLoop(flags, common, inputs)
      : mode === "open"
        ? openLoop(flags, common, protocol)
        : mlperf(flags, common);
  checkThreads(flags, load);
  return load;
}

/** Every event loop needs something of its own to do. */
function checkThreads(flags: LoadFlags, load: Load): void {
  const { threads = 1 } = flags;
  if (threads === 1) return;
  if (load.mode === "mlperf" && (load.scenario === "SingleStream" || load.scenario === "MultiStream"))
    throw new UserError(
      `${written(flags, "threads")}: --scenario ${load.scenario} has one query at a time, which threads cannot share. Leave it out.`,
    );
  const [shares, what] = load.mode === "closed" ? [load.clients, "client"] : [load.connections, "connection"];
  if (shares !== undefined && shares < threads)
    throw new UserError(
      `${written(flags, "threads")} cannot share ${shares} ${what}${shares === 1 ? "" : "s"}: each needs one of its own. Use at most ${shares}, or --${what}s ${threads} or more.`,
    );
}

/** A flag as the user wrote it. */
export const written = (flags: object, key: string): string =>
  `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${(flags as Record<string, unknown>)[key]}`;

const given = (flags: LoadFlags, keys: readonly Flag[]): Flag | undefined =>
  keys.find((key) => flags[key] !== undefined);

function kindOf(flags: LoadFlags): Load["mode"] {
  const mode = (["mlperf", "open"] as const).find((kind) => given(flags, kinds[kind].makes)) ?? "closed";
  const maker = given(flags, kinds[mode].makes);
  for (const [other, { name, makes, own }] of Object.entries(kinds)) {
    const foreign = other !== mode && given(flags, own);
    if (!foreign) continue;
    if (maker)
      throw new UserError(
        `${written(flags, foreign)} belongs to ${name}, but ${written(flags, maker)} makes it ${kinds[mode].name}. Leave one of them out.`,
      );
    throw new UserError(
      `${written(flags, foreign)} belongs to ${name}, and nothing asks for one. Add ${makes.map((key) => `--${key}`).join(" or ")}, or leave it out.`,
    );
  }
  return mode;
}

type Common = Pick<ClosedLoop, "warmupSeconds" | "seed" | "batch" | "timeoutSeconds">;

function closedLoop(flags: LoadFlags, common: Common, inputs: number): ClosedLoop {
  if (flags.clients !== undefined && flags.clientsNumber !== undefined)
    throw new UserError(
      `${written(flags, "clients")} and ${written(flags, "clientsNumber")} mean the same. Give one of them.`,
    );
  if (flags.connections !== undefined)
    throw new UserError(
      `${written(flags, "connections")} belongs to an open loop or an MLPerf scenario; in a closed loop --clients says how much is sent at the same time. Leave it out.`,
    );
  if (flags.repeats !== undefined && flags.duration !== undefined)
    throw new UserError(
      `${written(flags, "repeats")} and ${written(flags, "duration")} both say when to end. Give one of them.`,
    );
  const clients = flags.clients ?? flags.clientsNumber ?? 1;
  const byTime = flags.duration !== undefined || (flags.repeats === undefined && flags.ingress === undefined);
  if (byTime) return { mode: "closed", ...common, clients, durationSeconds: flags.duration ?? defaultDurationSeconds };
  const warmup = flags.warmup ?? 0;
  if (!Number.isInteger(warmup))
    throw new UserError(
      `${written(flags, "warmup")} counts repeats when the load is given in repeats, so it must be a whole number. For seconds use --duration in the place of --repeats.`,
    );
  const requests = Math.ceil(inputs / (flags.batch ?? 1)); // of one repeat
  return {
    mode: "closed",
    ...common,
    warmupSeconds: 0,
    clients,
    repeats: (flags.repeats ?? guideDefaults.repeats) * requests,
    ...(warmup && { warmupRepeats: warmup * requests }),
  };
}

function openLoop(flags: LoadFlags, common: Common, protocol: ProtocolName): OpenLoop {
  const { rate, stages, duration } = flags;
  if (stages !== undefined)
    for (const key of ["rate", "duration"] as const)
      if (flags[key] !== undefined)
        throw new UserError(
          `${written(flags, "stages")} says the rates and how long each lasts, and so does ${written(flags, key)}. Leave one of them out.`,
        );
  return {
    mode: "open",
    ...common,
    arrivals: flags.arrivals ?? "poisson",
    stages: stages ? parseStages(stages) : [{ rate: rate!, durationSeconds: duration ?? defaultDurationSeconds }],
    connections: flags.connections ?? defaultConnections(protocol),
  };
}

function mlperf(flags: LoadFlags, common: Common): MlperfScenario {
  const { scenario, targetQps, latencyBound, minDuration, minQueries, samplesPerQuery, connections } = flags;
  const of = `--scenario ${scenario}`;
  if (flags.duration !== undefined)
    throw new UserError(
      `${written(flags, "duration")} has no meaning with ${of}, which ends after its minimum time and number of queries. Use --min-duration and --min-queries.`,
    );
  if (scenario === "Server" && targetQps === undefined)
    throw new UserError(`${of} sends queries at a rate: give --target-qps, in queries per second.`);
  if (scenario === "Server" && latencyBound === undefined)
    throw new UserError(`${of} asks how many queries are answered in time: give --latency-bound, in milliseconds.`);
  for (const key of ["targetQps", "latencyBound"] as const)
    if (scenario !== "Server" && flags[key] !== undefined)
      throw new UserError(`${written(flags, key)} belongs to --scenario Server, not to ${of}. Leave it out.`);
  if (
    (scenario === "SingleStream" || scenario === "Server") &&
    samplesPerQuery !== undefined &&
    samplesPerQuery !== (flags.batch ?? 1)
  )
    throw new UserError(
      `${written(flags, "samplesPerQuery")}: a query of ${of} is one request. Leave it out, or use MultiStream or Offline.`,
    );
  if (scenario === "Offline" && (minQueries ?? 1) !== 1)
    throw new UserError(
      `${written(flags, "minQueries")}: ${of} has a single query. Set its size with --samples-per-query.`,
    );
  return {
    mode: "mlperf",
    ...common,
    scenario: scenario!,
    ...(minDuration !== undefined && { minDurationSeconds: minDuration }),
    ...(minQueries !== undefined && { minQueries }),
    ...(samplesPerQuery !== undefined && { samplesPerQuery }),
    ...(targetQps !== undefined && { targetQps }),
    ...(latencyBound !== undefined && { latencyBoundMs: latencyBound }),
    ...(connections !== undefined && { connections }),
  };
}
