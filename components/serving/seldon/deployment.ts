import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../../restricted.ts";
import type { serverPod } from "../serverPod.ts";
import type { GraphUnit, transformerPod } from "../transformer.ts";

type Pod = ReturnType<typeof serverPod>;

/** Resources of Seldon's executor, which stands before each server where there is one. */
export interface Executor {
  /** CPU it requests; it has no limit. Seldon's own default, a limit of 500m, is a ceiling for the throughput that nobody sees. */
  readonly cpu: string;
  readonly memory: string;
}

/** Pods that are all alike; each predictor becomes one Deployment. */
export interface Predictor {
  /** The server is its first container. */
  readonly pod: Pod;
  readonly replicas: number;
  /** What the executor asks in the place of the server, in a pod of its own. */
  readonly front?: { readonly graph: GraphUnit; readonly pod: ReturnType<typeof transformerPod> };
}

export type SeldonProtocol = "v2" | "tensorflow" | "seldon";

export interface SeldonDeploymentArgs {
  readonly name: string;
  /** None: the SeldonDeployment stays, without pods. */
  readonly predictors: readonly Predictor[];
  /** Labels of every server's pod. The operator puts some of its own over them. */
  readonly labels: Readonly<Record<string, string>>;
  /** Those of them that select exactly these pods. */
  readonly selector: Readonly<Record<string, string>>;
  /** Labels of every pod in front of a server. */
  readonly frontLabels?: Readonly<Record<string, string>>;
  /** Changes with anything in the pods. 8 hexadecimal digits. */
  readonly revision: string;
  readonly protocol: SeldonProtocol;
  /** Without one, requests go to the servers themselves. */
  readonly executor?: Executor;
  readonly readySeconds: number;
}

const NO_ENGINE = { "seldon.io/no-engine": "true" };

/** A graph of no pods: of a kind that the operator takes to be built in. */
const IDLE = {
  name: "idle",
  annotations: NO_ENGINE,
  graph: { name: "idle", type: "MODEL", implementation: "SIMPLE_MODEL" },
};

/** Spec of a SeldonDeployment. */
export function seldonSpec(args: SeldonDeploymentArgs) {
  const { predictors, selector } = args;
  const shares = weights(predictors.length);
  return {
    protocol: args.protocol,
    // Always there: without it, the operator removes it again and again, many times a second, after the first edit.
    replicas: predictors[0]?.replicas ?? 0,
    podSelector: Object.entries(selector)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    predictors: predictors.length === 0 ? [IDLE] : predictors.map((p, i) => predictor(args, p, i, shares[i]!)),
  };
}

function predictor(args: SeldonDeploymentArgs, { pod, front }: Predictor, index: number, traffic: number) {
  const { name, labels, frontLabels, revision, executor, readySeconds } = args;
  const [server] = pod.containers;
  return {
    name: `i${index}`,
    // The service's name is in the Deployment's selector, and a Deployment whose selector changes is deleted, with its pods, before
    // the new one is made. Otherwise the operator would start the new pod beside the old one, on the same CPUs.
    annotations: { "seldon.io/svc-name": serviceName(name, index, revision), ...(executor ? {} : NO_ENGINE) },
    traffic,
    graph: front?.graph ?? { name: server.name, type: "MODEL" },
    ...(executor
      ? {
          svcOrchSpec: {
            resources: {
              requests: { cpu: executor.cpu, memory: executor.memory },
              limits: { memory: executor.memory },
            },
          },
        }
      : {}),
    progressDeadlineSeconds: readySeconds,
    // The executor is put into the first, which is the one that is found behind the service of all servers.
    componentSpecs: [
      { metadata: { labels }, spec: forOperator(pod) },
      ...(front ? [{ metadata: { labels: frontLabels }, spec: forOperator(front.pod) }] : []),
    ],
  };
}

const serviceName = (name: string, index: number, revision: string) => `${name}-i${index}-${revision}`;

/** Name of the Deployment that the operator makes of a predictor's servers: of the pods' names the beginning. */
export const deploymentName = (name: string, index: number, containers: readonly string[]) =>
  `${name}-i${index}-0-${containers.join("-")}`;

/**
 * What `pulumi.com/waitFor` says of it. The operator does not say which generation its status is about, so a status that still
 * tells of the old pods is told by the services it knows: they are named after the pods' revision.
 */
export function waitFor({ name, predictors, revision }: SeldonDeploymentArgs): string {
  const services = predictors.map(
    (_, index) => `jsonpath={.status.serviceStatus['${serviceName(name, index, revision)}']}`,
  );
  return JSON.stringify(["jsonpath={.status.state}=Available", ...services]);
}

/**
 * The pod as the operator passes it on: it drops the pod's own security settings, so each container has them; and it adds a sleep
 * of ten seconds before every end, and a wait of twenty before every start, where the pod does not say otherwise.
 */
function forOperator(pod: Pod | ReturnType<typeof transformerPod>) {
  const { securityContext: _, ...rest } = pod;
  const { fsGroup: _group, fsGroupChangePolicy: _policy, ...own } = restrictedPod.securityContext;
  const securityContext = { ...restrictedContainer, ...own };
  return {
    ...rest,
    ...("initContainers" in pod
      ? { initContainers: pod.initContainers.map((container) => ({ ...container, securityContext })) }
      : {}),
    containers: (pod.containers as types.input.core.v1.Container[]).map((container) => ({
      ...container,
      securityContext,
      lifecycle: {},
    })),
  } satisfies types.input.core.v1.PodSpec;
}

/** Whole percentages, as even as they can be: of 3 predictors 34, 33, 33. */
export function weights(count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(100 / count) + (i < 100 % count ? 1 : 0));
}
