import { formatCpuList } from "../../components/serving/cpuList.ts";
import { lowestCores, type NodeTopology, partOf, threadsOf } from "../../components/serving/topology.ts";
import { UserError } from "../../error.ts";
import { nodeName } from "../cluster/cluster.ts";
import { MAX_NODES } from "../cluster/network.ts";
import type { NodeShape } from "../cluster/spec.ts";
import { PROJECT } from "./config.ts";

/** One node of the embedded cluster as the stack's config wants it. */
export interface StackNode {
  readonly topology: NodeTopology;
  readonly shape: NodeShape;
}

/**
 * The nodes of the embedded cluster that a stack asks for: `cluster.nodes` of them, with the cores that `cluster.cores` gives
 * each, or else the machine's in equal parts. The first gets what is left over.
 *
 * @param config merged config of the stack, not checked yet
 * @throws UserError if this machine does not have these cores
 */
export function stackNodes(config: Readonly<Record<string, unknown>>, machine: NodeTopology): StackNode[] {
  const key = (name: string) => config[`${PROJECT}:${name}`];
  const cluster = (key("cluster") ?? {}) as { nodes?: unknown; cores?: unknown };
  const coresByNode = coresOf(cluster, machine);
  const isStatic = key("pinning") === "cpuset";
  return coresByNode.map((cores, index) => {
    const topology = partOf(machine, nodeName(index), cores);
    const isWhole = cores.length === machine.numa.flat().length;
    return {
      topology,
      shape: {
        cpus: isWhole ? null : formatCpuList(threadsOf(topology, cores)),
        sharedCpus: isStatic ? sharedCpus(topology, reservedCores(config, topology)) : null,
      },
    };
  });
}

/**
 * The nodes of the program's `topology`: the cluster's, and after them those it had before. A node that does not serve keeps a
 * workload of no pods. One that were gone from `topology` would be deleted last, after it had been in the measurement's way.
 *
 * @param last the topology that the stack was last started with
 */
export function withFormerNodes(nodes: readonly NodeTopology[], last: readonly NodeTopology[]): NodeTopology[] {
  return [...nodes, ...last.filter(({ name }) => !nodes.some((node) => node.name === name))];
}

/**
 * The reserved cores, as the kubelet's CPU manager keeps them. As a list they are lost to the scheduler, which then finds no
 * place for any pod besides the servers on a machine of few cores. As a quantity they are the lowest too where there is one
 * NUMA node, and of the last of them only a tenth is lost: what runs there can ask for the rest.
 */
function sharedCpus(topology: NodeTopology, reserved: readonly number[]): NodeShape["sharedCpus"] {
  const cpus = threadsOf(topology, reserved);
  if (cpus.length === 0) return null;
  const isOneNumaNode = topology.numa.filter((cores) => cores.length > 0).length === 1;
  return isOneNumaNode ? { quantity: `${cpus.length * 1000 - 900}m` } : { list: formatCpuList(cpus) };
}

/** The cores of a node that the stack keeps from serving. None if that would be all. */
export function reservedCores(config: Readonly<Record<string, unknown>>, topology: NodeTopology): number[] {
  const { system = 0, client = 0 } = (config[`${PROJECT}:reserved`] ?? {}) as { system?: number; client?: number };
  const apart = lowestCores(topology, system + client);
  return apart.length < topology.numa.flat().length ? apart : [];
}

function coresOf({ nodes, cores }: { nodes?: unknown; cores?: unknown }, machine: NodeTopology): number[][] {
  const all = machine.numa.flat();
  const has = `this machine has ${all.length === 1 ? "one core" : `${all.length} cores`} (${formatCpuList(all)})`;
  if (cores === undefined) {
    const most = Math.min(MAX_NODES, all.length);
    const count = nodes === undefined ? 1 : nodes;
    if (!Number.isInteger(count) || (count as number) < 1 || (count as number) > most)
      throw new UserError(
        `cluster.nodes: ${JSON.stringify(count)} is not possible; it must be a whole number from 1 to ${most}, because each node needs a core and ${has}, and because there are addresses for ${MAX_NODES} nodes`,
      );
    return equalParts(all, count as number);
  }
  const lists = cores as number[][];
  const isShaped = Array.isArray(cores) && lists.every((list) => Array.isArray(list) && list.length > 0);
  if (!isShaped || lists.length === 0 || lists.length > MAX_NODES)
    throw new UserError(
      `cluster.cores: ${JSON.stringify(cores)} is not a list of 1 to ${MAX_NODES} lists of cores, one for each node, such as [[0],[1]]`,
    );
  if (nodes !== undefined && nodes !== lists.length)
    throw new UserError(
      `cluster.nodes: ${JSON.stringify(nodes)} is not the number of lists in cluster.cores, which is ${lists.length}; leave one of the two out`,
    );
  const flat = lists.flat();
  const unknown = flat.filter((core) => !all.includes(core));
  if (unknown.length > 0) throw new UserError(`cluster.cores: there is no core ${unknown.join(", ")}; ${has}`);
  const twice = flat.filter((core, index) => flat.indexOf(core) !== index);
  if (twice.length > 0)
    throw new UserError(`cluster.cores: core ${twice.join(", ")} is there twice; each can be of one node`);
  return lists;
}

/** In the machine's own order, so that NUMA nodes stay together. */
function equalParts(cores: readonly number[], count: number): number[][] {
  const size = Math.floor(cores.length / count);
  const first = cores.length - size * (count - 1);
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? cores.slice(0, first) : cores.slice(first + (index - 1) * size, first + index * size),
  );
}
