import { formatCpuList } from "../../components/serving/cpuList.ts";
import { type NodeTopology, threadsOf } from "../../components/serving/topology.ts";
import { confineSystem } from "../cluster/cgroups.ts";
import { reservedCores } from "./nodes.ts";

/**
 * Keeps the embedded cluster's own processes on the cores that the stack sets apart from serving, where it sets any apart.
 *
 * @param config merged config of the stack
 */
export function confine(config: Readonly<Record<string, unknown>>, nodes: readonly NodeTopology[]): void {
  for (const node of nodes) {
    const cpus = threadsOf(node, reservedCores(config, node));
    confineSystem(node.name, cpus.length > 0 ? formatCpuList(cpus) : undefined);
  }
}
