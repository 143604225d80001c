import { completeLoad, defaultConnections } from "../benchmarks/client/pacer.ts";
import type { Load } from "../benchmarks/spec.ts";
import { UserError } from "../error.ts";
import type { Config } from "./schema.ts";

type Benchmark = Config["benchmark"];
type Key = keyof Benchmark["load"];
type Mode = Load["mode"];

/** Keys of `benchmark.load` that belong to one mode, or to two. */
const owners: Readonly<Record<Exclude<Key, "mode">, readonly Mode[]>> = {
  repeats: ["closed"],
  rate: ["open"],
  stages: ["open"],
  arrivals: ["open"],
  connections: ["open", "mlperf"],
  scenario: ["mlperf"],
  targetQps: ["mlperf"],
  latencyBound: ["mlperf"],
  minDuration: ["mlperf"],
  minQueries: ["mlperf"],
  samplesPerQuery: ["mlperf"],
};
const names: Readonly<Record<Mode, string>> = {
  closed: "a closed loop",
  open: "an open loop",
  mlperf: "an MLPerf scenario",
};

function modeOf({ load }: Pick<Benchmark, "load">): Mode {
  if (load.mode) return load.mode;
  if (load.scenario !== undefined) return "mlperf";
  return load.rate !== undefined || load.stages !== undefined ? "open" : "closed";
}

/** What the config asks the load client for. The config must be free of `loadProblems`. */
export function loadOf(benchmark: Benchmark): Load {
  const { load, protocol, clients, duration } = benchmark;
  const common = {
    warmupSeconds: benchmark.warmup,
    seed: benchmark.seed,
    batch: benchmark.batch,
    timeoutSeconds: benchmark.timeout,
  };
  const mode = modeOf(benchmark);
  if (mode === "closed")
    return load.repeats === undefined
      ? { mode, ...common, clients, durationSeconds: duration }
      : { mode, ...common, clients, repeats: load.repeats };
  if (mode === "open")
    return {
      mode,
      ...common,
      arrivals: load.arrivals ?? "poisson",
      stages: load.stages?.map(({ rate, duration, ramp }) => ({ rate, durationSeconds: duration, ramp })) ?? [
        { rate: load.rate!, durationSeconds: duration },
      ],
      connections: load.connections ?? defaultConnections(protocol),
    };
  return {
    mode,
    ...common,
    scenario: load.scenario!,
    ...given({
      minDurationSeconds: load.minDuration,
      minQueries: load.minQueries,
      samplesPerQuery: load.samplesPerQuery,
      targetQps: load.targetQps,
      latencyBoundMs: load.latencyBound,
      connections: load.connections,
    }),
  };
}

const given = <T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;

/** One line for every contradiction in `benchmark` that its shape alone does not show. */
export function loadProblems(benchmark: Benchmark): string[] {
  if (!benchmark.enabled) return [];
  const { load } = benchmark;
  const mode = modeOf(benchmark);
  const foreign = Object.entries(owners)
    .filter(([key, modes]) => load[key as Key] !== undefined && !modes.includes(mode))
    .map(
      ([key, modes]) =>
        `${at(load, key as Key)} belongs to ${names[modes[0]!]}, but ${why(load, mode)}; ${out(key as Key, modes[0]!, load)}`,
    );
  const own = { closed: () => [], open: openProblems, mlperf: mlperfProblems }[mode](benchmark);
  const shape = [...foreign, ...own];
  return shape.length > 0 ? shape : [...completeProblems(benchmark), ...shareProblems(benchmark, mode)];
}

/** What the client itself would refuse. */
function completeProblems(benchmark: Benchmark): string[] {
  try {
    completeLoad(loadOf(benchmark), benchmark.protocol);
    return [];
  } catch (error) {
    if (error instanceof UserError) return [`benchmark.load: ${error.message.replaceAll("\n", " ")}`];
    throw error;
  }
}

/** The key and its value. */
const at = (load: Benchmark["load"], key: Key) => `benchmark.load.${key}: ${JSON.stringify(load[key])}`;

function why(load: Benchmark["load"], mode: Mode): string {
  if (load.mode) return `benchmark.load.mode is ${load.mode}`;
  const maker = load.scenario !== undefined ? "scenario" : load.rate !== undefined ? "rate" : "stages";
  return mode === "closed" ? "nothing asks for one" : `benchmark.load.${maker} makes it ${names[mode]}`;
}

function out(key: Key, owner: Mode, load: Benchmark["load"]): string {
  const others = { closed: "", open: "benchmark.load.rate", mlperf: "benchmark.load.scenario" }[owner];
  if (load.mode) return `leave it out, or set the mode to ${owner}`;
  if (modeOf({ load }) !== "closed") return `leave ${key} out, or what makes it so`;
  return `leave it out, or set ${others} too`;
}

function openProblems({ load }: Benchmark): string[] {
  const { rate, stages } = load;
  if (rate !== undefined && stages !== undefined)
    return [`benchmark.load: rate and stages are both there; leave out rate ${rate}, or give it as one of the stages`];
  if (rate === undefined && stages === undefined)
    return ["benchmark.load: an open loop needs rate (requests per second) or stages; neither is there"];
  if (stages?.every(({ rate }) => rate === 0))
    return ["benchmark.load.stages: every rate is 0, so nothing would be sent; give at least one stage a rate above 0"];
  return [];
}

function mlperfProblems({ load }: Benchmark): string[] {
  const { scenario, targetQps, latencyBound, minQueries } = load;
  if (scenario === undefined)
    return ["benchmark.load.scenario: is missing; mode mlperf needs one of SingleStream, MultiStream, Server, Offline"];
  const found: string[] = [];
  if (scenario === "Server" && targetQps === undefined)
    found.push(
      "benchmark.load.targetQps: is missing; scenario Server sends queries at this rate, in queries per second",
    );
  if (scenario === "Server" && latencyBound === undefined)
    found.push(
      "benchmark.load.latencyBound: is missing; with scenario Server 99 % of the queries must take at most this long, in milliseconds",
    );
  for (const key of ["targetQps", "latencyBound"] as const)
    if (scenario !== "Server" && load[key] !== undefined)
      found.push(`${at(load, key)} belongs to scenario Server, not to ${scenario}; leave it out`);
  if (scenario === "Offline" && (minQueries ?? 1) !== 1)
    found.push(`${at(load, "minQueries")}, but Offline has a single query; set its size with samplesPerQuery`);
  return found;
}

/** Every event loop needs something of its own to do. */
function shareProblems(benchmark: Benchmark, mode: Mode): string[] {
  const { pods, threads, clients, load, protocol } = benchmark;
  const loops = pods * threads;
  if (loops === 1) return [];
  const by = `${loops} event loops (benchmark.pods ${pods} x benchmark.threads ${threads})`;
  if (load.scenario === "SingleStream" || load.scenario === "MultiStream")
    return [
      `benchmark.load.scenario: ${load.scenario} has one query at a time, which ${by} cannot share; set both to 1`,
    ];
  if (mode === "closed" && clients < loops)
    return [`benchmark.clients: ${clients} cannot be shared by ${by}; at least ${loops}, or fewer event loops`];
  const connections = load.connections ?? (mode === "open" ? defaultConnections(protocol) : loops);
  if (mode !== "closed" && connections < loops)
    return [
      `benchmark.load.connections: ${connections} cannot be shared by ${by}; at least ${loops}, or fewer event loops`,
    ];
  return [];
}
