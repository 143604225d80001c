import type { NodePlacement } from "../spec.ts";
import { parseCpuList } from "./cpus.ts";

/** One server whose CPUs the kubelet has chosen. */
export interface Placed {
  readonly pod: string;
  /** The CPUs the kernel allows it, as a Linux list; null when its log does not say. */
  readonly cpusAllowed: string | null;
}

/**
 * Compares where the kubelet has put the servers of one node with what was planned: each has as many CPUs as planned, shares
 * none, and stays within a NUMA node; and of each NUMA node there are as many servers as planned. Which of the equal servers is
 * where does not matter.
 *
 * @returns a sentence for each difference
 */
export function misplaced(planned: NodePlacement, servers: readonly Placed[]): string[] {
  const unknown = servers.filter(({ cpusAllowed }) => cpusAllowed === null);
  const known = servers.flatMap(({ pod, cpusAllowed }) =>
    cpusAllowed === null ? [] : [{ pod, cpusAllowed, cpus: parseCpuList(cpusAllowed) }],
  );
  const numaOf = new Map(planned.numa.flatMap(({ cpus }, number) => parseCpuList(cpus).map((cpu) => [cpu, number])));
  // Of a core whose other threads the config does not list, the first is enough: the kubelet gives whole cores.
  const nodesOf = (cpus: readonly number[]) => [...new Set(cpus.flatMap((cpu) => numaOf.get(cpu) ?? []))].sort();
  const crossing = known.filter(({ cpus }) => nodesOf(cpus).length > 1);
  return [
    ...unknown.map(({ pod }) => `The log of pod ${pod} does not say on which CPUs it runs.`),
    ...known
      .filter(({ cpus }) => cpus.length !== planned.cpus)
      .map(
        ({ pod, cpusAllowed }) => `Pod ${pod} may run on CPUs ${cpusAllowed}; planned were ${planned.cpus} of its own.`,
      ),
    ...shared(known),
    ...crossing.map(
      ({ pod, cpusAllowed, cpus }) =>
        `CPUs ${cpusAllowed} of pod ${pod} are of NUMA nodes ${nodesOf(cpus).join(" and ")}; planned was one.`,
    ),
    ...(unknown.length + crossing.length > 0
      ? []
      : uneven(
          planned,
          known.map(({ cpus }) => nodesOf(cpus)[0]),
        )),
  ];
}

function shared(servers: readonly { pod: string; cpus: readonly number[] }[]): string[] {
  return servers.flatMap(({ pod, cpus }, index) =>
    servers.slice(index + 1).flatMap((other) => {
      const both = cpus.filter((cpu) => other.cpus.includes(cpu));
      return both.length > 0 ? [`Pods ${pod} and ${other.pod} share CPUs ${both.join(",")}.`] : [];
    }),
  );
}

/** @param found NUMA node of each server; undefined if the topology does not list its CPUs */
function uneven({ node, numa }: NodePlacement, found: readonly (number | undefined)[]): string[] {
  const on = (number: number | undefined) => found.filter((one) => one === number).length;
  return [
    ...numa.flatMap(({ servers }, number) =>
      on(number) === servers
        ? []
        : [`${on(number)} servers on ${node} are on NUMA node ${number}; planned were ${servers}.`],
    ),
    ...(on(undefined) > 0 ? [`Servers on ${node} have CPUs that topology does not list.`] : []),
  ];
}
