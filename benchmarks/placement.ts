import { formatCpuList } from "../components/serving/cpuList.ts";
import type { CpuPlan } from "../components/serving/cpuPlan.ts";
import type { NodeTopology } from "../components/serving/topology.ts";
import { threadsOf } from "../components/serving/topology.ts";
import type { NodePlacement } from "./spec.ts";

/** Where the servers of a plan are to be, of nodes whose kubelets choose their CPUs; empty under any other pinning. */
export function placementOf({ nodes }: CpuPlan, topology: readonly NodeTopology[]): NodePlacement[] {
  return nodes.flatMap(({ name, instances }): NodePlacement[] => {
    const cpus = instances[0]?.exclusiveCpus;
    const node = topology.find((one) => one.name === name);
    if (cpus === undefined || node === undefined) return [];
    const numa = node.numa.map((cores, number) => ({
      cpus: formatCpuList(threadsOf(node, cores)),
      servers: instances.filter(({ memoryNode }) => memoryNode === number).length,
    }));
    return [{ node: name, cpus, numa }];
  });
}
