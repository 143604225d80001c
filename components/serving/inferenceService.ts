import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf, PLAN_LABEL, selectorOf } from "../labels.ts";
import type { FetchArgs } from "../storage/fetch/container.ts";
import type { CpuPlan } from "./cpuPlan.ts";
import { type ModelServer, namedPorts, type Ports } from "./modelServer.ts";
import { serverPod } from "./serverPod.ts";

export interface InferenceServiceArgs {
  readonly namespace: string;
  /** DNS domain of the cluster, such as `cluster.local`. */
  readonly domain: string;
  readonly plan: CpuPlan;
  readonly server: ModelServer;
  /** Where the pods fetch the model from. */
  readonly model: FetchArgs;
  /** How long all instances may take to become ready. */
  readonly readySeconds: number;
}

/** What a client has to know to find the servers. */
export interface Endpoint {
  /** DNS name that stands for the addresses of all instances. */
  readonly host: string;
  readonly ports: Ports;
}

/**
 * Model servers on the CPUs the plan gives them: on each node one StatefulSet, because Pulumi creates first and deletes last, so
 * that fewer instances must be an update and not the deletion of something that would still run while the rest is measured. No
 * rollout starts a second pod on the same CPUs. A node that does not serve has a StatefulSet of no pods.
 */
export class InferenceService extends pulumi.ComponentResource {
  readonly endpoint: Endpoint;
  /** Selects the pods of every plan. */
  readonly selector: Readonly<Record<string, string>>;
  /** Planned CPU list by pod name; empty when not pinned. */
  readonly cpusByPod: Readonly<Record<string, string>>;
  readonly image: string;
  /** What the pods run; equal for equal servers, so it can stand for them in an experiment's key. */
  readonly pods: readonly k8s.types.input.core.v1.PodSpec[];

  constructor(name: string, args: InferenceServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:serving:InferenceService", name, {}, opts);
    const { namespace, domain, plan, server, model, readySeconds } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("server", name);
    const selector = selectorOf("server", name);
    const ports = namedPorts(server.ports).map(({ name, port }) => ({ name, port, targetPort: name }));
    const metadata = { namespace, labels };

    // Headless: a client sees every instance and spreads its connections itself; one HTTP/2 connection would load one pod.
    const service = new k8s.core.v1.Service(
      name,
      {
        metadata: { ...metadata, name },
        spec: { clusterIP: "None", publishNotReadyAddresses: false, selector, ports },
      },
      child,
    );
    const nodes = plan.nodes.map(({ name: node, instances }) => {
      const set = statefulSetName(name, node);
      return { set, node, instances, pod: serverPod({ server, model, node, instances }) };
    });
    for (const { set, node, instances, pod } of nodes)
      new k8s.apps.v1.StatefulSet(
        `${name}-${node}`,
        {
          metadata: { ...metadata, name: set },
          spec: {
            serviceName: name,
            replicas: instances.length,
            podManagementPolicy: "Parallel",
            selector: { matchLabels: { ...selector, "inference-stack/set": set } },
            template: {
              metadata: { labels: { ...labels, "inference-stack/set": set, [PLAN_LABEL]: plan.hash } },
              spec: pod,
            },
          },
        },
        {
          ...child,
          dependsOn: [service, ...asList(opts?.dependsOn)],
          customTimeouts: { create: `${readySeconds}s`, update: `${readySeconds}s` },
        },
      );

    this.endpoint = { host: `${name}.${namespace}.svc.${domain}`, ports: server.ports };
    this.selector = selector;
    this.cpusByPod = Object.fromEntries(
      nodes.flatMap(({ set, instances }) => instances.flatMap(({ cpus }, i) => (cpus ? [[`${set}-${i}`, cpus]] : []))),
    );
    this.image = server.image;
    this.pods = nodes.filter(({ instances }) => instances.length > 0).map(({ pod }) => pod);
    this.registerOutputs({ endpoint: this.endpoint });
  }
}

/** Names of pods and revisions are derived from it and are limited to 63 characters, and a node's name may be long. */
function statefulSetName(service: string, node: string): string {
  const name = `${service}-${node.replaceAll(".", "-")}`;
  if (name.length <= 40 && !node.includes(".")) return name;
  return `${name.slice(0, 31)}-${createHash("sha256").update(node).digest("hex").slice(0, 8)}`;
}

function asList(dependsOn: pulumi.ComponentResourceOptions["dependsOn"]): pulumi.Input<pulumi.Resource>[] {
  if (dependsOn === undefined) return [];
  if (Array.isArray(dependsOn)) return dependsOn;
  return [dependsOn as pulumi.Resource];
}
