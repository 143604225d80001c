import type { types } from "@pulumi/kubernetes";
import { observed } from "./pinning.ts";

type PodSpec = types.input.core.v1.PodSpec;
type Container = types.input.core.v1.Container;
type Quantities = Readonly<Record<string, string>>;

/** A pod all of whose values are known when the program runs. */
interface PlainPod extends PodSpec {
  initContainers?: PlainContainer[];
  containers: PlainContainer[];
}
interface PlainContainer extends Container {
  command: string[];
  env?: types.input.core.v1.EnvVar[];
  resources: { requests: Quantities; limits: Quantities };
}

/**
 * The same pod so that the kubelet's static CPU manager gives its server CPUs for itself: of the QoS class Guaranteed, which
 * needs equal requests and limits in every container, and with a whole number of CPUs in the server's. The server checks what it
 * was given before it starts.
 *
 * @param pod of plain values, without Pulumi outputs; its first container is the server
 */
export function guaranteed(pod: PodSpec, exclusiveCpus: number): PodSpec {
  const cpu = String(exclusiveCpus);
  const { initContainers, containers } = pod as PlainPod;
  const [server, ...others] = containers;
  return {
    ...pod,
    // They run before the server, on the very CPUs it is given then.
    initContainers: initContainers?.map((container) => equal(container, cpu)),
    containers: [
      {
        ...equal(server, cpu),
        command: observed(server.command),
        env: [...(server.env ?? []), { name: "EXCLUSIVE_CPUS", value: cpu }],
      },
      ...others.map((container) => equal(container, container.resources.requests.cpu)),
    ],
  };
}

function equal<T extends PlainContainer>(container: T, cpu: string): T {
  const quantities = { ...container.resources.limits, cpu };
  return { ...container, resources: { requests: quantities, limits: quantities } };
}
