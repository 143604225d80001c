import { serverKinds } from "../components/serving/servers/kinds.ts";
import type { Config } from "./schema.ts";

type Parts = Pick<
  Config,
  "engine" | "pinning" | "cluster" | "server" | "instances" | "seldon" | "autoscaling" | "metricsServer"
>;
export const COMBINED = [
  "engine",
  "pinning",
  "cluster",
  "server",
  "instances",
  "seldon",
  "autoscaling",
  "metricsServer",
] as const satisfies readonly (keyof Parts)[];

/** Settings that are right by themselves and wrong together: one line for each, with the way out. */
export function combinationProblems(config: Parts): string[] {
  return [...(config.engine === "seldon" ? seldonProblems(config) : []), ...autoscalingProblems(config)];
}

function seldonProblems({ seldon, server, cluster, pinning }: Parts): string[] {
  const problems: string[] = [];
  if (seldon.executor.enabled && pinning === "cpuset")
    problems.push(
      "pinning: cpuset is not possible with seldon.executor, which has no CPU limit and is in the server's pod: the kubelet gives CPUs of their own only to pods all of whose containers have one; use numactl, or leave the executor out",
    );
  if (seldon.operator !== "manifests" && cluster.kind === "embedded")
    problems.push(
      `seldon.operator: ${JSON.stringify(seldon.operator)} is not possible on the embedded cluster, which has only the images that are built here; use manifests`,
    );
  if (seldon.executor.enabled && seldon.operator === "manifests")
    problems.push(
      "seldon.executor: the operator of seldon.operator manifests comes without Seldon's executor; use chart or installed, or leave the executor out, and requests go to the servers themselves",
    );
  const kind = serverKinds[server.kind];
  const taken = Object.values(kind.ports(server.api ?? kind.apis[0]));
  for (const port of ["httpPort", "grpcPort"] as const)
    if (seldon.executor.enabled && taken.includes(seldon.executor[port]))
      problems.push(
        `seldon.executor.${port}: ${seldon.executor[port]} is a port of ${server.kind} itself, which is in the same pod; taken are ${[...new Set(taken)].join(", ")}`,
      );
  return problems;
}

function autoscalingProblems({ autoscaling, pinning, cluster, instances, metricsServer }: Parts): string[] {
  const { enabled, max, resourceLimiting } = autoscaling;
  if (!enabled) return [];
  const problems: string[] = [];
  if (pinning !== "none")
    problems.push(
      `autoscaling: is not possible with pinning ${pinning}, as a further server would get the CPUs of another; use pinning none`,
    );
  if (resourceLimiting === undefined)
    problems.push(
      "autoscaling.resourceLimiting: is missing; it is the CPU that each server requests, such as 500m, of which averageUtilization is a part",
    );
  else if (millicores(resourceLimiting) % 1000 === 0)
    problems.push(
      `autoscaling.resourceLimiting: ${JSON.stringify(resourceLimiting)} is a number of whole CPUs, which a node may hand out for one pod alone; give a part of one, such as ${millicores(resourceLimiting) - 500 > 0 ? millicores(resourceLimiting) - 500 : 500}m`,
    );
  if (max < instances)
    problems.push(`autoscaling.max: ${max} is less than instances, which is ${instances} and the least there will be`);
  if (cluster.kind === "embedded" && !metricsServer.enabled)
    problems.push("autoscaling: the embedded cluster has no metrics API of its own; set metricsServer.enabled to true");
  return problems;
}

/** `500m` is 500, `1.5` is 1500. */
export function millicores(quantity: string): number {
  return quantity.endsWith("m") ? Number(quantity.slice(0, -1)) : Number(quantity) * 1000;
}
