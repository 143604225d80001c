import { formatCpuList, parseCpuList } from "./cpuList.ts";
import type { NodePlan, NodeTopology } from "./cpuPlan.ts";
import { threadsOf } from "./topology.ts";

/** One server under `pinning: cpuset`, where the kubelet chooses its CPUs. */
export interface Placed {
  readonly pod: string;
  /** The CPUs the kernel allows it, as a Linux list; null when its log does not say. */
  readonly cpusAllowed: string | null;
}

/**
 * Compares where the kubelet has put the servers of one node with their plan: each has as many CPUs as planned, shares none,
 * and stays within a NUMA node if planned so; and of each NUMA node there are as many servers as planned. Which of the equal
 * servers is where does not matter.
 *
 * @returns a sentence for each difference
 */
export function misplaced(plan: NodePlan, topology: NodeTopology, servers: readonly Placed[]): string[] {
  const unknown = servers.filter(({ cpusAllowed }) => cpusAllowed === null);
  const known = servers.flatMap(({ pod, cpusAllowed }) =>
    cpusAllowed === null ? [] : [{ pod, cpusAllowed, cpus: parseCpuList(cpusAllowed) }],
  );
  const wanted = plan.instances[0]?.exclusiveCpus ?? 0;
  const numaOf = new Map(
    topology.numa.flatMap((cores, number) => threadsOf(topology, cores).map((cpu) => [cpu, number] as const)),
  );
  // Of a core whose other threads the config does not list, the first is enough: the kubelet gives whole cores.
  const nodesOf = (cpus: readonly number[]) => [...new Set(cpus.flatMap((cpu) => numaOf.get(cpu) ?? []))].sort();
  const crossing = known.filter(({ cpus }) => nodesOf(cpus).length > 1);
  return [
    ...unknown.map(({ pod }) => `The log of pod ${pod} does not say on which CPUs it runs.`),
    ...known
      .filter(({ cpus }) => cpus.length !== wanted)
      .map(({ pod, cpusAllowed }) => `Pod ${pod} may run on CPUs ${cpusAllowed}; planned were ${wanted} of its own.`),
    ...shared(known),
    ...crossing.map(
      ({ pod, cpusAllowed, cpus }) =>
        `CPUs ${cpusAllowed} of pod ${pod} are of NUMA nodes ${nodesOf(cpus).join(" and ")}; planned was one.`,
    ),
    ...(unknown.length + crossing.length > 0
      ? []
      : uneven(
          plan,
          known.map(({ cpus }) => nodesOf(cpus)[0]),
        )),
  ];
}

function shared(servers: readonly { pod: string; cpus: readonly number[] }[]): string[] {
  return servers.flatMap(({ pod, cpus }, index) =>
    servers.slice(index + 1).flatMap((other) => {
      const both = cpus.filter((cpu) => other.cpus.includes(cpu));
      return both.length > 0 ? [`Pods ${pod} and ${other.pod} share CPUs ${formatCpuList(both)}.`] : [];
    }),
  );
}

function uneven(plan: NodePlan, found: readonly (number | undefined)[]): string[] {
  const count = (numbers: readonly unknown[], number: unknown) => numbers.filter((n) => n === number).length;
  const planned = plan.instances.map(({ memoryNode }) => memoryNode);
  return [...new Set([...planned, ...found])]
    .filter((number) => count(planned, number) !== count(found, number))
    .map((number) =>
      number === undefined
        ? `Servers on ${plan.name} have CPUs that topology does not list.`
        : `${count(found, number)} servers on ${plan.name} are on NUMA node ${number}; planned were ${count(planned, number)}.`,
    );
}
