import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labelsOf, PLAN_LABEL, SET_LABEL } from "../../labels.ts";
import type { InstancePlan } from "../cpuPlan.ts";
import type { Ports } from "../modelServer.ts";
import { API_VERSION, KIND } from "../seldon/definition.ts";
import {
  deploymentName,
  type Executor,
  type Predictor,
  type SeldonProtocol,
  seldonSpec,
  waitFor,
} from "../seldon/deployment.ts";
import { serverPod } from "../serverPod.ts";
import { type Transformer, transformerPod } from "../transformer.ts";
import type { Deployed, Engine, EngineArgs } from "./engine.ts";
import { workloadName } from "./workloadName.ts";

/** Ports of the executor. */
export interface ExecutorPorts {
  readonly http: number;
  readonly grpc: number;
}

export interface SeldonArgs {
  /** Seldon's executor in front of each server. */
  readonly executor?: Executor & { readonly ports: ExecutorPorts };
  /** What the executor asks in the place of a server that takes no files. Needs the executor. */
  readonly transformer?: Transformer;
}

/**
 * The engine `seldon`: a SeldonDeployment per node. The pods of a Deployment have no ordinals, so each instance that has CPUs of its
 * own is a predictor of one pod, which knows its CPUs; instances that are all alike are one predictor.
 */
export function seldon(options: SeldonArgs = {}): Engine {
  return {
    describe: (args) => describe(args, options),
    deploy: (args, opts) => deploy(args, options, opts),
  };
}

function describe(args: EngineArgs, { executor, transformer }: SeldonArgs): Deployed {
  const { server } = args;
  const serving = setsOf(args, transformer).filter(({ instances }) => instances.length > 0);
  const spoken: Ports = transformer ? { "seldon-grpc": server.ports["tfs-grpc"] } : server.ports;
  return {
    ports: executor ? throughExecutor(spoken, executor.ports) : server.ports,
    cpusByPod: Object.fromEntries(
      serving.flatMap(({ set, instances, predictors }) =>
        instances.flatMap(({ cpus }, i) =>
          cpus ? [[deploymentName(set, i, containersOf(predictors[i]!)), cpus]] : [],
        ),
      ),
    ),
    pods: serving.flatMap(({ predictors }) =>
      predictors.flatMap(({ pod, front }) => [pod, ...(front ? [front.pod] : [])]),
    ),
    scaleTargets: serving.map(({ set }) => ({ apiVersion: API_VERSION, kind: KIND, name: set })),
  };
}

function deploy(args: EngineArgs, { executor, transformer }: SeldonArgs, opts: pulumi.CustomResourceOptions): void {
  const { name, namespace, labels, selector, plan, server, isAutoscaled, readySeconds } = args;
  for (const { node, set, predictors } of setsOf(args, transformer)) {
    const pods = predictors.map(({ pod, front }) => [pod, front]);
    const spec = {
      name: set,
      predictors,
      labels: { ...labels, [SET_LABEL]: set, [PLAN_LABEL]: plan.hash },
      selector: { ...selector, [SET_LABEL]: set },
      frontLabels: labelsOf("transformer", name),
      revision: createHash("sha256")
        .update(JSON.stringify([plan.hash, pods, executor]))
        .digest("hex")
        .slice(0, 8),
      protocol: transformer ? "seldon" : protocolOf(server.ports),
      executor,
      readySeconds,
    };
    new k8s.apiextensions.CustomResource(
      `${name}-${node}`,
      {
        apiVersion: API_VERSION,
        kind: KIND,
        metadata: { namespace, labels, name: set, annotations: { "pulumi.com/waitFor": waitFor(spec) } },
        spec: seldonSpec(spec),
      },
      {
        ...opts,
        customTimeouts: { create: `${readySeconds}s`, update: `${readySeconds}s` },
        ...(isAutoscaled ? { ignoreChanges: ["spec.replicas"] } : {}),
      },
    );
  }
}

/** By node. */
function setsOf(args: EngineArgs, transformer: Transformer | undefined) {
  return args.plan.nodes.map(({ name: node, instances }) => {
    const set = workloadName(args.name, node);
    return { node, set, instances, predictors: predictorsOf(args, node, instances, transformer) };
  });
}

/** What the operator and the executor take the servers to speak. */
function protocolOf(ports: Ports): SeldonProtocol {
  const spoken = Object.keys(ports).join();
  return spoken.includes("v2-") ? "v2" : spoken.includes("tfs-") ? "tensorflow" : "seldon";
}

/** The executor speaks for the server on its own ports. Metrics are the server's. */
function throughExecutor(ports: Ports, { http, grpc }: ExecutorPorts): Ports {
  const other = (spoken: string, port: number) =>
    spoken === "metrics" ? port : spoken.endsWith("-grpc") ? grpc : http;
  return Object.fromEntries(Object.entries(ports).map(([spoken, port]) => [spoken, other(spoken, port)]));
}

const containersOf = ({ pod }: Predictor) => pod.containers.map(({ name }) => name);

function predictorsOf(
  args: EngineArgs,
  node: string,
  instances: readonly InstancePlan[],
  transformer: Transformer | undefined,
): Predictor[] {
  const front = transformer && { graph: transformer.graph, pod: transformerPod(transformer, node) };
  const predictor = (instance: InstancePlan, replicas: number): Predictor => {
    const pod = serverPod({ ...args, node, instances: [instance], index: 0 });
    return { pod: transformer ? withProxy(pod, transformer) : pod, replicas, front };
  };
  const isPinned = instances.some(({ cpus }) => cpus !== null);
  if (isPinned) return instances.map((instance) => predictor(instance, 1));
  return instances.slice(0, 1).map((instance) => predictor(instance, instances.length));
}

/** The server's pod with what translates for it in it. */
function withProxy(pod: Predictor["pod"], { proxy, volume }: Transformer): Predictor["pod"] {
  const { containers, volumes } = pod as { containers: unknown[]; volumes: unknown[] };
  return { ...pod, containers: [...containers, proxy], volumes: [...volumes, volume] } as Predictor["pod"];
}
