import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { type FetchArgs, fetchContainer, fetchPod, fetchVolumes } from "../storage/fetch/container.ts";
import type { InstancePlan } from "./cpuPlan.ts";
import { guaranteed } from "./guaranteed.ts";
import { type ModelServer, namedPorts } from "./modelServer.ts";
import { pinned, pinningEnv } from "./pinning.ts";

/** CPU that a pinned server requests: pinning and not the scheduler gives it its cores. */
export const PINNED_CPU_REQUEST = "100m";

/**
 * A server that an autoscaler removes goes on for so long, in seconds: until the name of the service does not stand for it any
 * more, which takes as long as DNS answers are kept, and clients have gone over to the others.
 */
export const DRAIN_SECONDS = 12;

/**
 * The pod of one server instance. Its CPU is only limited where the kubelet gives it whole CPUs: elsewhere a quota would stop it in
 * the middle of an inference.
 *
 * @param isAutoscaled it may be removed while it is used. Default false
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
  isAutoscaled?: boolean;
}) {
  const { server, model, node, instances, index, cpuRequest, isAutoscaled } = args;
  const isPinned = instances.some(({ cpus }) => cpus !== null);
  const scratch = Object.entries(server.scratch).map(([mountPath, sizeLimit], index) => ({
    mount: { name: `scratch-${index}`, mountPath },
    volume: { name: `scratch-${index}`, emptyDir: { medium: "Memory", sizeLimit } },
  }));
  const gpus: Record<string, string> = server.gpus ? { "nvidia.com/gpu": String(server.gpus) } : {};
  const pod = {
    ...restrictedPod,
    ...fetchPod(model),
    nodeSelector: { "kubernetes.io/hostname": node },
    terminationGracePeriodSeconds: server.terminationSeconds + (isAutoscaled ? DRAIN_SECONDS : 0),
    initContainers: [fetchContainer({ ...model, subPath: "repository/" }, "models")],
    containers: [
      {
        name: server.name,
        image: server.image,
        command: isPinned ? pinned(server.command) : [...server.command],
        env: [...server.env, ...(isPinned ? pinningEnv(instances, index) : [])],
        ports: namedPorts(server.ports).map(({ name, port }) => ({ name, containerPort: port })),
        resources: {
          requests: { cpu: cpuRequest, memory: server.memory },
          limits: { memory: server.memory, ...gpus },
        },
        securityContext: restrictedContainer,
        startupProbe: server.startupProbe,
        readinessProbe: server.readinessProbe,
        livenessProbe: server.livenessProbe,
        ...(isAutoscaled ? { lifecycle: { preStop: { sleep: { seconds: DRAIN_SECONDS } } } } : {}),
        volumeMounts: [
          { name: "models", mountPath: server.modelPath, readOnly: true },
          ...scratch.map(({ mount }) => mount),
        ],
      },
    ],
    volumes: [{ name: "models", emptyDir: {} }, ...fetchVolumes(model), ...scratch.map(({ volume }) => volume)],
  } satisfies types.input.core.v1.PodSpec;
  const exclusiveCpus = instances[0]?.exclusiveCpus;
  return exclusiveCpus === undefined ? pod : (guaranteed(pod, exclusiveCpus) as typeof pod);
}
