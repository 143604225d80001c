import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One node's CPUs as the program's `topology` config wants them. */
export interface NodeTopology {
  readonly name: string;
  /** Physical cores by NUMA node: the first hardware thread of each, by its Linux CPU number. */
  readonly numa: number[][];
  /** Hardware threads per core. */
  readonly smt: number;
}

/** Expands a Linux CPU list: "0-2,8" is 0, 1, 2, 8. */
export function parseCpuList(list: string): number[] {
  return list
    .trim()
    .split(",")
    .filter(Boolean)
    .flatMap((part) => {
      const [from, to = from] = part.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}

/** Reads this machine's NUMA nodes, cores and hardware threads. Offline CPUs do not count. */
export function readTopology(name: string, root = "/sys/devices/system"): NodeTopology {
  const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
  const online = new Set(parseCpuList(read("cpu", "online")));
  const siblings = (cpu: number) => {
    try {
      return parseCpuList(read("cpu", `cpu${cpu}`, "topology", "thread_siblings_list")).filter((c) => online.has(c));
    } catch {
      return [cpu]; // some virtual machines do not say
    }
  };
  const cores = (cpus: number[]) => cpus.filter((cpu) => online.has(cpu) && Math.min(...siblings(cpu)) === cpu);
  const nodes = numaNodes(root).map((node) => cores(parseCpuList(read("node", node, "cpulist"))));
  const numa = nodes.filter((cpus) => cpus.length > 0);
  if (numa.length === 0) numa.push(cores([...online])); // a kernel without NUMA
  return { name, numa, smt: Math.max(...numa.flat().map((cpu) => siblings(cpu).length)) };
}

function numaNodes(root: string): string[] {
  try {
    return readdirSync(join(root, "node"))
      .filter((entry) => /^node\d+$/.test(entry))
      .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)));
  } catch {
    return [];
  }
}
