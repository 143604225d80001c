import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { type FetchArgs, fetchContainer, fetchVolume } from "../storage/fetch/container.ts";
import type { InstancePlan } from "./cpuPlan.ts";
import { type ModelServer, namedPorts } from "./modelServer.ts";
import { pinned, pinningEnv } from "./pinning.ts";

/**
 * The pod of one server instance. It asks for little CPU, because pinning and not the scheduler gives it its cores, and has no
 * CPU limit, because a quota would stop it in the middle of an inference.
 *
 * @param instances plans of all instances of the node; a pod finds its own by its ordinal
 */
export function serverPod(args: {
  server: ModelServer;
  model: FetchArgs;
  node: string;
  instances: readonly InstancePlan[];
}): types.input.core.v1.PodSpec {
  const { server, model, node, instances } = args;
  const isPinned = instances.some(({ cpus }) => cpus !== null);
  const scratch = Object.entries(server.scratch).map(([mountPath, sizeLimit], index) => ({
    mount: { name: `scratch-${index}`, mountPath },
    volume: { name: `scratch-${index}`, emptyDir: { medium: "Memory", sizeLimit } },
  }));
  const gpus: Record<string, string> = server.gpus ? { "nvidia.com/gpu": String(server.gpus) } : {};
  return {
    ...restrictedPod,
    nodeSelector: { "kubernetes.io/hostname": node },
    terminationGracePeriodSeconds: server.terminationSeconds,
    initContainers: [fetchContainer({ ...model, subPath: "repository/" }, "models")],
    containers: [
      {
        name: server.name,
        image: server.image,
        command: isPinned ? pinned(server.command) : [...server.command],
        env: [...server.env, ...(isPinned ? pinningEnv(instances) : [])],
        ports: namedPorts(server.ports).map(({ name, port }) => ({ name, containerPort: port })),
        resources: {
          requests: { cpu: "100m", memory: server.memory },
          limits: { memory: server.memory, ...gpus },
        },
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
  };
}
