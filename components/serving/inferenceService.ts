import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf, selectorOf } from "../labels.ts";
import type { Deployed, Engine, EngineArgs } from "./engines/engine.ts";
import { namedPorts, type Ports } from "./modelServer.ts";

export interface InferenceServiceArgs extends Omit<EngineArgs, "name" | "labels" | "selector"> {
  /** DNS domain of the cluster, such as `cluster.local`. */
  readonly domain: string;
  /** What runs the servers. */
  readonly engine: Engine;
}

/** What a client has to know to find the servers. */
export interface Endpoint {
  /** DNS name that stands for the addresses of all instances. */
  readonly host: string;
  readonly ports: Ports;
}

/** What others have to know of a service, deployed or not yet. */
export interface ServiceFacts {
  readonly endpoint: Endpoint;
  /** Selects the pods of every plan. */
  readonly selector: Readonly<Record<string, string>>;
  /** Planned CPU list by the name of the pod, or of the workload that has this one pod; empty when not pinned. */
  readonly cpusByPod: Deployed["cpusByPod"];
  readonly image: string;
  /** What the pods run; equal for equal servers, so it can stand for them in an experiment's key. */
  readonly pods: Deployed["pods"];
  /** What an autoscaler may change the scale of; one for each node that serves. */
  readonly scaleTargets: Deployed["scaleTargets"];
}

/** Deploys nothing. */
export function serviceFacts(name: string, args: InferenceServiceArgs): ServiceFacts {
  const { namespace, domain, server, engine } = args;
  const selector = selectorOf("server", name);
  const { ports, ...deployed } = engine.describe({ ...args, name, labels: labelsOf("server", name), selector });
  return {
    ...deployed,
    endpoint: { host: `${name}.${namespace}.svc.${domain}`, ports },
    selector,
    image: server.image,
  };
}

/** Model servers on the CPUs the plan gives them, and one name for all of them. */
export class InferenceService extends pulumi.ComponentResource {
  readonly facts: ServiceFacts;

  constructor(name: string, args: InferenceServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:serving:InferenceService", name, {}, opts);
    const { namespace, server, engine } = args;
    this.facts = serviceFacts(name, args);
    const { selector } = this.facts;
    const labels = labelsOf("server", name);
    const ports = namedPorts(server.ports).map(({ name, port }) => ({ name, port, targetPort: name }));

    // Headless: a client sees every instance and spreads its connections itself; one HTTP/2 connection would load one pod.
    const service = new k8s.core.v1.Service(
      name,
      {
        metadata: { namespace, labels, name },
        spec: { clusterIP: "None", publishNotReadyAddresses: false, selector, ports },
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    engine.deploy(
      { ...args, name, labels, selector },
      { parent: this, dependsOn: [service, ...asList(opts?.dependsOn)] },
    );
    this.registerOutputs({ endpoint: this.facts.endpoint });
  }
}

function asList(dependsOn: pulumi.ComponentResourceOptions["dependsOn"]): pulumi.Input<pulumi.Resource>[] {
  if (dependsOn === undefined) return [];
  if (Array.isArray(dependsOn)) return dependsOn;
  return [dependsOn as pulumi.Resource];
}
