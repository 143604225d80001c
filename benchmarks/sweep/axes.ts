import type { Setting, Settings } from "./store.ts";

/**
 * The axes of a sweep and the config key behind each, those that change the servers first: in this order the cells are run, so
 * that few servers change between neighbours.
 */
export const axes = {
  nodes: "cluster.nodes",
  replicas: "cluster.nodes",
  sockets: "sockets",
  cpus: "cpus",
  instances: "instances",
  threadsPerCore: "threadsPerCore",
  pinning: "pinning",
  server: "server.kind",
  streams: "server.streams",
  path: "benchmark.path",
  protocol: "benchmark.protocol",
  batch: "benchmark.batch",
  clients: "benchmark.clients",
  rate: "benchmark.load.rate",
} as const;

export type AxisName = keyof typeof axes;
export const axisNames = Object.keys(axes) as AxisName[];

/** Axes that exclude each other, and why. */
export const exclusive = [
  { pair: ["clients", "rate"], why: "a closed loop has clients and an open loop has a rate" },
  { pair: ["nodes", "replicas"], why: "both say how many nodes serve, each with one replica of every instance" },
] as const satisfies readonly { pair: readonly [AxisName, AxisName]; why: string }[];

/** A place in the sweep: a value for some of the axes. */
export type Point = Readonly<Partial<Record<AxisName, Setting>>>;

/** Config keys that a point sets. */
export function settingsOf(point: Point): Settings {
  return Object.fromEntries(
    axisNames.flatMap((name) => (point[name] === undefined ? [] : [[axes[name], point[name]]])),
  );
}

/** `instances 2, clients 4`. */
export function pointInWords(settings: Settings): string {
  const nameOf = (key: string) => axisNames.find((name) => axes[name] === key) ?? key;
  const words = Object.entries(settings).map(([key, value]) => `${nameOf(key)} ${value}`);
  return words.join(", ") || "the stack as it is";
}
