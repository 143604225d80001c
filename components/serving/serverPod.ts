import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { type FetchArgs, fetchContainer, fetchVolume } from "../storage/fetch/container.ts";
import type { InstancePlan } from "./cpuPlan.ts";
import { type ModelServer, namedPorts } from "./modelServer.ts";
import { observed, observedEnv, pinned, pinningEnv } from "./pinning.ts";

/** CPU that a pinned server requests: pinning and not the scheduler gives it its cores. */
export const PINNED_CPU_REQUEST = "100m";

/**
 * The pod of one server instance. Its CPU is only limited where the kubelet gives it whole CPUs: elsewhere a quota would stop it in
 * the middle of an inference.
 *
 * @param instances plans among which the pod finds its own
 * @param index by this number; absent: by its ordinal
 */
export function serverPod(args: {
  server: ModelServer;
  model: FetchArgs;
  node: string;
  instances: readonly InstancePlan[];
  index?: number;
  cpuRequest: string;
}) {
  const { server, model, node, cpuRequest } = args;
  const { command, env, exclusive } = pinningOf(args);
  const scratch = Object.entries(server.scratch).map(([mountPath, sizeLimit], index) => ({
    mount: { name: `scratch-${index}`, mountPath },
    volume: { name: `scratch-${index}`, emptyDir: { medium: "Memory", sizeLimit } },
  }));
  const gpus: Record<string, string> = server.gpus ? { "nvidia.com/gpu": String(server.gpus) } : {};
  const { memory } = server;
  const fetch = fetchContainer({ ...model, subPath: "repository/" }, "models");
  // The kubelet gives whole CPUs to pods of the class Guaranteed, in which every container asks for no less than it may use.
  const whole = exclusive === undefined ? undefined : { cpu: exclusive, memory };
  return {
    ...restrictedPod,
    nodeSelector: { "kubernetes.io/hostname": node },
    terminationGracePeriodSeconds: server.terminationSeconds,
    initContainers: [whole ? { ...fetch, resources: { requests: whole, limits: whole } } : fetch],
    containers: [
      {
        name: server.name,
        image: server.image,
        command,
        env: [...server.env, ...env],
        ports: namedPorts(server.ports).map(({ name, port }) => ({ name, containerPort: port })),
        resources: whole
          ? { requests: whole, limits: { ...whole, ...gpus } }
          : { requests: { cpu: cpuRequest, memory }, limits: { memory, ...gpus } },
        securityContext: restrictedContainer,
        startupProbe: server.startupProbe,
        readinessProbe: server.readinessProbe,
        livenessProbe: server.livenessProbe,
        volumeMounts: [
          { name: "models", mountPath: server.modelPath, readOnly: true },
          ...scratch.map(({ mount }) => mount),
        ],
      },
    ],
    volumes: [{ name: "models", emptyDir: {} }, fetchVolume(model), ...scratch.map(({ volume }) => volume)],
  } satisfies types.input.core.v1.PodSpec;
}

/** What starts the server, what that has to know, and how many CPUs the kubelet has to give the pod for itself. */
function pinningOf({
  server,
  instances,
  index,
}: Pick<Parameters<typeof serverPod>[0], "server" | "instances" | "index">) {
  const exclusiveCpus = instances[0]?.exclusiveCpus;
  if (exclusiveCpus !== undefined)
    return { command: observed(server.command), env: observedEnv(instances), exclusive: String(exclusiveCpus) };
  if (instances.some(({ cpus }) => cpus !== null))
    return { command: pinned(server.command), env: pinningEnv(instances, index) };
  return { command: [...server.command], env: [] };
}
