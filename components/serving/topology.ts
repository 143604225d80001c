import { parseCpuList } from "./cpuList.ts";

/** The physical cores of one Kubernetes node. */
export interface NodeTopology {
  /** Value of the node's label `kubernetes.io/hostname`. */
  readonly name: string;
  /** By number of the NUMA node: the Linux CPU number of the first hardware thread of every core. Empty: none of its cores. */
  readonly numa: readonly (readonly number[])[];
  /** Hardware threads per core, of the core that has most. */
  readonly smt: number;
  /** CPU numbers of all hardware threads of each core, the first one first. Only needed to use more than that. */
  readonly siblings?: readonly (readonly number[])[];
}

/** Where Linux tells of its CPUs; paths in `Sysfs` are below it. */
export const SYSFS = "/sys/devices/system";

/** The files of it that a topology is read from, as shell patterns. */
export const SYSFS_FILES = ["cpu/online", "node/node*/cpulist", "cpu/cpu*/topology/thread_siblings_list"];

/** Text of these files by path, such as `cpu/online`: `0-3`. */
export type Sysfs = ReadonlyMap<string, string>;

/**
 * What a node's kernel says of its CPUs as the config's `topology` wants it. CPUs that are offline do not count.
 *
 * @param name value of the node's label `kubernetes.io/hostname`
 */
export function topologyOf(name: string, sysfs: Sysfs): NodeTopology {
  const list = (path: string) => parseCpuList(sysfs.get(path) ?? "");
  const online = new Set(list("cpu/online"));
  const siblingsOf = (cpu: number) => {
    // Some virtual machines do not say.
    const siblings = list(`cpu/cpu${cpu}/topology/thread_siblings_list`).filter((c) => online.has(c));
    return siblings.length > 0 ? siblings : [cpu];
  };
  const cores = (cpus: number[]) => cpus.filter((cpu) => online.has(cpu) && Math.min(...siblingsOf(cpu)) === cpu);
  const byNode = new Map(
    [...sysfs.keys()].flatMap((path) => {
      const number = /^node\/node(\d+)\/cpulist$/.exec(path)?.[1];
      return number === undefined ? [] : [[Number(number), cores(list(path))] as const];
    }),
  );
  const last = Math.max(-1, ...[...byNode].flatMap(([number, cpus]) => (cpus.length > 0 ? [number] : [])));
  const numa = Array.from({ length: last + 1 }, (_, number) => byNode.get(number) ?? []);
  if (numa.length === 0) numa.push(cores([...online])); // a kernel without NUMA
  return withSiblings({ name, numa }, siblingsOf);
}

/** The part of a machine that these of its cores are, as a node of its own. NUMA nodes keep their numbers. */
export function partOf(machine: NodeTopology, name: string, cores: readonly number[]): NodeTopology {
  const numa = machine.numa.map((cpus) => cpus.filter((cpu) => cores.includes(cpu)));
  while (numa.length > 0 && numa.at(-1)!.length === 0) numa.pop();
  const siblings = new Map(machine.siblings?.map((threads) => [threads[0], threads]));
  return withSiblings({ name, numa }, (cpu) => siblings.get(cpu) ?? [cpu]);
}

function withSiblings(
  node: Pick<NodeTopology, "name" | "numa">,
  siblingsOf: (cpu: number) => readonly number[],
): NodeTopology {
  const siblings = node.numa.flat().map(siblingsOf);
  const smt = Math.max(...siblings.map((threads) => threads.length));
  return { ...node, smt, ...(smt > 1 ? { siblings } : {}) };
}

/** All hardware threads of these cores. */
export function threadsOf({ siblings = [] }: NodeTopology, cores: readonly number[]): number[] {
  const byCore = new Map(siblings.map((threads) => [threads[0], threads]));
  return cores.flatMap((core) => byCore.get(core) ?? [core]).sort((a, b) => a - b);
}

/** The cores of a node that `reserved` sets apart: its lowest, because interrupts and the system's daemons tend to run there. */
export function lowestCores({ numa }: NodeTopology, count: number): number[] {
  return numa
    .flat()
    .sort((a, b) => a - b)
    .slice(0, count);
}
