import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../components/restricted.ts";
import type { CpuPlan } from "../components/serving/cpuPlan.ts";
import { type FetchArgs, fetchContainer, fetchPod, fetchVolumes } from "../components/storage/fetch/container.ts";
import type { BenchmarkSpec } from "./spec.ts";

/** What the pods of the benchmark's Jobs have in common. */
export interface ClientPodArgs {
  readonly image: string;
  readonly clientName: string;
  readonly specName: string;
  /** Secret with the key `token`, for pods that listen. */
  readonly tokenName: string | undefined;
  /** ConfigMap with the live page, for the pod that can be controlled. */
  readonly pageName?: string;
  readonly spec: BenchmarkSpec;
  readonly plan: CpuPlan;
  readonly inputs: FetchArgs & { readonly subPath: string };
  /** Secret with the PEM files that `spec.target.tls` names. */
  readonly trustName: string | undefined;
}

/** Where those files are. */
export const TRUST_FOLDER = "/trust";

/** Where a pod that coordinates workers or can be controlled listens, and each worker. */
export const CLIENT_PORT = 7070;

/** A young generation that grows with the rate buys the client no speed, since next to nothing survives, and takes 100 MB. */
const CLIENT = ["node", "--max-semi-space-size=4"];

/** The pod of the benchmark Job: runs the client, which makes the load itself unless there are workers. */
export function coordinatorPod(args: ClientPodArgs & { readonly account: string }): types.input.core.v1.PodSpec {
  const { spec, account } = args;
  return clientPod(args, {
    command: [...CLIENT, "/client/client.cjs", "/spec/spec.json", "/inputs"],
    hasInputs: spec.workers === undefined,
    isListening: spec.control !== undefined,
    pod: {
      serviceAccountName: account,
      automountServiceAccountToken: true, // it looks at the servers' pods and writes its result
    },
    env: [
      { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      ...(args.pageName === undefined ? [] : [{ name: "PAGE_FILE", value: "/page/index.html" }]),
    ],
  });
}

/** A pod of the worker Job. */
export function workerPod(args: ClientPodArgs, labels: Readonly<Record<string, string>>): types.input.core.v1.PodSpec {
  return clientPod(args, {
    command: [...CLIENT, "/client/client.cjs", "worker", "/spec/spec.json", "/inputs"],
    hasInputs: true,
    isListening: true,
    pod: {
      // Workers on other nodes load the servers through other network cards; where there is one node, all are on it.
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: labels },
        },
      ],
    },
    env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
  });
}

function clientPod(
  { image, clientName, specName, tokenName, trustName, pageName, spec, plan, inputs }: ClientPodArgs,
  own: {
    command: string[];
    hasInputs: boolean;
    isListening: boolean;
    pod: Partial<types.input.core.v1.PodSpec>;
    env: types.input.core.v1.EnvVar[];
  },
): types.input.core.v1.PodSpec {
  const listening = own.isListening ? { ports: [{ name: "client", containerPort: CLIENT_PORT }] } : {};
  return {
    ...restrictedPod,
    ...fetchPod(inputs),
    restartPolicy: "Never",
    ...own.pod,
    // CPUs are set apart on every node; the client takes those of the first.
    ...(spec.clientCpus === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": plan.nodes[0].name } }),
    ...(own.hasInputs ? { initContainers: [fetchContainer(inputs, "inputs")] } : {}),
    containers: [
      {
        name: "client",
        image,
        command: own.command,
        env: [
          ...own.env,
          ...(own.isListening ? [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }] : []),
          ...(tokenName === undefined ? [] : [{ name: "TOKEN_FILE", value: "/token/token" }]),
        ],
        ...listening,
        resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "1Gi" } },
        securityContext: restrictedContainer,
        volumeMounts: [
          { name: "client", mountPath: "/client", readOnly: true },
          { name: "spec", mountPath: "/spec", readOnly: true },
          { name: "inputs", mountPath: "/inputs", readOnly: true },
          ...(tokenName === undefined ? [] : [{ name: "token", mountPath: "/token", readOnly: true }]),
          ...(trustName === undefined ? [] : [{ name: "trust", mountPath: TRUST_FOLDER, readOnly: true }]),
          ...(pageName === undefined ? [] : [{ name: "page", mountPath: "/page", readOnly: true }]),
        ],
      },
    ],
    volumes: [
      { name: "client", configMap: { name: clientName } },
      { name: "spec", configMap: { name: specName } },
      { name: "inputs", emptyDir: {} },
      ...(own.hasInputs ? fetchVolumes(inputs) : []),
      ...(tokenName === undefined ? [] : [{ name: "token", secret: { secretName: tokenName } }]),
      ...(trustName === undefined ? [] : [{ name: "trust", secret: { secretName: trustName, defaultMode: 0o440 } }]),
      ...(pageName === undefined ? [] : [{ name: "page", configMap: { name: pageName } }]),
    ],
  };
}
