import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { PLAN_LABEL, SET_LABEL } from "../../labels.ts";
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
import type { Deployed, Engine, EngineArgs } from "./engine.ts";
import { workloadName } from "./workloadName.ts";

/** Ports of the executor. */
export interface ExecutorPorts {
  readonly http: number;
  readonly grpc: number;
}

/**
 * The engine `seldon`: a SeldonDeployment per node. The pods of a Deployment have no ordinals, so each instance that has CPUs of its
 * own is a predictor of one pod, which knows its CPUs; instances that are all alike are one predictor.
 */
export function seldon(executor?: Executor & { readonly ports: ExecutorPorts }): Engine {
  return {
    describe: (args) => describe(args, executor?.ports),
    deploy: (args, opts) => deploy(args, opts, executor),
  };
}

function describe(args: EngineArgs, executor: ExecutorPorts | undefined): Deployed {
  const { server } = args;
  const serving = setsOf(args).filter(({ instances }) => instances.length > 0);
  return {
    ports: executor ? throughExecutor(server.ports, executor) : server.ports,
    cpusByPod: Object.fromEntries(
      serving.flatMap(({ set, instances }) =>
        instances.flatMap(({ cpus }, i) => (cpus ? [[deploymentName(set, i, server.name), cpus]] : [])),
      ),
    ),
    pods: serving.flatMap(({ predictors }) => predictors.map(({ pod }) => pod)),
    scaleTargets: serving.map(({ set }) => ({ apiVersion: API_VERSION, kind: KIND, name: set })),
  };
}

function deploy(
  args: EngineArgs,
  opts: pulumi.CustomResourceOptions,
  executor: (Executor & { readonly ports: ExecutorPorts }) | undefined,
): void {
  const { name, namespace, labels, selector, plan, server, isAutoscaled, readySeconds } = args;
  for (const { node, set, predictors } of setsOf(args)) {
    const pods = predictors.map(({ pod }) => pod);
    const spec = {
      name: set,
      predictors,
      labels: { ...labels, [SET_LABEL]: set, [PLAN_LABEL]: plan.hash },
      selector: { ...selector, [SET_LABEL]: set },
      revision: createHash("sha256")
        .update(JSON.stringify([plan.hash, pods, executor]))
        .digest("hex")
        .slice(0, 8),
      protocol: protocolOf(server.ports),
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
function setsOf(args: EngineArgs) {
  return args.plan.nodes.map(({ name: node, instances }) => {
    const set = workloadName(args.name, node);
    return { node, set, instances, predictors: predictorsOf(args, node, instances) };
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

function predictorsOf(args: EngineArgs, node: string, instances: readonly InstancePlan[]): Predictor[] {
  const predictor = (instance: InstancePlan, replicas: number): Predictor => ({
    pod: serverPod({ ...args, node, instances: [instance], index: 0 }),
    replicas,
  });
  const isPinned = instances.some(({ cpus }) => cpus !== null);
  if (isPinned) return instances.map((instance) => predictor(instance, 1));
  return instances.slice(0, 1).map((instance) => predictor(instance, instances.length));
}
