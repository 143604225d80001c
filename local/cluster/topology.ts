import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type NodeTopology, SYSFS, SYSFS_FILES, topologyOf } from "../../components/serving/topology.ts";

/** Reads this machine's NUMA nodes, cores and hardware threads. */
export function readTopology(name: string, root = SYSFS): NodeTopology {
  const files = globSync(SYSFS_FILES, { cwd: root }).flatMap((path) => {
    try {
      return [[path, readFileSync(join(root, path), "utf8")] as const];
    } catch {
      return []; // of a CPU that is going offline
    }
  });
  return topologyOf(name, new Map(files));
}
