import { axes, axisNames } from "../benchmarks/sweep/axes.ts";
import type { Machines } from "../benchmarks/sweep/points.ts";
import type { Setting } from "../benchmarks/sweep/store.ts";
import type { Values } from "../benchmarks/sweep/where.ts";
import type { Config } from "./schema.ts";

/** What the stack's own config says on each axis. */
export function axisValues(config: Config): Values {
  const at = (key: string) =>
    key.split(".").reduce<unknown>((inner, part) => (inner as Record<string, unknown> | undefined)?.[part], config);
  const isSetting = (value: unknown): value is Setting => ["string", "number", "boolean"].includes(typeof value);
  return Object.fromEntries(
    axisNames.flatMap((name) => {
      const value = at(axes[name]);
      return isSetting(value) ? [[name, value]] : [];
    }),
  );
}

/** What the guide's loop runs over. */
export const machinesOf = ({ cluster, topology, cpus, sockets }: Config): Machines => ({
  nodes: cluster.nodes ?? topology.length,
  cpus,
  sockets,
});
