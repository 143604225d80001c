import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { type FetchArgs, fetchContainer, fetchPod, fetchVolumes } from "../storage/fetch/container.ts";

/** Where workers find the master. Its own default; nothing else in a pod has it. */
export const MASTER_PORT = 5557;

export interface SharedPod {
  /** Image with Locust, whose entry point it is. */
  readonly image: string;
  /** ConfigMaps with the locustfile and with what it reads. */
  readonly programName: string;
  readonly specName: string;
  /** Where the inputs come from. */
  readonly inputs: FetchArgs & { readonly subPath: string };
}

/** A run without a web page. */
export interface Run {
  readonly users: number;
  /** Users that are started per second. */
  readonly spawnRate: number;
  /** Length after all have been started. */
  readonly durationSeconds: number;
  /** How long workers may take to be there. */
  readonly readySeconds: number;
}

type Pod = types.input.core.v1.PodSpec;

/** What Locust is told with `--run-time`: that counts from the start of the first user. */
export const runTime = ({ users, spawnRate, durationSeconds }: Run): number =>
  Math.ceil(users / spawnRate) + durationSeconds;

/** The pod that tells the workers what to do and adds up what they report. */
export function masterPod(
  shared: SharedPod,
  how:
    | { readonly run: Run; readonly workers: number }
    | {
        readonly web: {
          readonly port: number;
          readonly users: number;
          readonly spawnRate: number;
          readonly secretName: string;
        };
      },
): Pod {
  const master = { name: "master", containerPort: MASTER_PORT };
  if ("run" in how) {
    const { run, workers } = how;
    const args = [
      "--headless",
      `--expect-workers=${workers}`,
      `--expect-workers-max-wait=${run.readySeconds}`,
      `--users=${run.users}`,
      `--spawn-rate=${run.spawnRate}`,
      `--run-time=${runTime(run)}s`,
      "--reset-stats", // nothing of the time in which users are started
      "--exit-code-on-error=0", // failed requests are data
      "--only-summary",
    ];
    return { ...pod(shared, { role: "master", args, ports: [master] }), restartPolicy: "Never" };
  }
  const { port, users, spawnRate, secretName } = how.web;
  return pod(shared, {
    role: "master",
    args: [`--web-port=${port}`, `--users=${users}`, `--spawn-rate=${spawnRate}`],
    ports: [{ name: "web", containerPort: port }, master],
    env: [{ name: "WEB_PASSWORD", valueFrom: { secretKeyRef: { name: secretName, key: "password" } } }],
    readinessProbe: { tcpSocket: { port: "web" }, periodSeconds: 1 },
  });
}

/** A pod that makes the load. @param master name of the master's Service */
export function workerPod(shared: SharedPod, master: string): Pod {
  const spec = pod(shared, {
    role: "worker",
    args: [`--master-host=${master}`, `--master-port=${MASTER_PORT}`, "--reset-stats"],
    env: [
      {
        name: "WORKER",
        valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
      },
    ],
    volumeMounts: [{ name: "inputs", mountPath: "/inputs", readOnly: true }],
  });
  return {
    ...spec,
    initContainers: [fetchContainer(shared.inputs, "inputs")],
    volumes: [
      ...(spec.volumes as types.input.core.v1.Volume[]),
      { name: "inputs", emptyDir: {} },
      ...fetchVolumes(shared.inputs),
    ],
  };
}

function pod(
  { image, programName, specName, inputs: { pullSecret } }: SharedPod,
  {
    role,
    args,
    env = [],
    ports,
    readinessProbe,
    volumeMounts = [],
  }: {
    role: "master" | "worker";
    args: string[];
    env?: types.input.core.v1.EnvVar[];
    ports?: types.input.core.v1.ContainerPort[];
    readinessProbe?: types.input.core.v1.Probe;
    volumeMounts?: types.input.core.v1.VolumeMount[];
  },
): Pod {
  return {
    ...restrictedPod, // without service links: Locust would take LOCUST_MASTER_PORT for a setting of its own
    terminationGracePeriodSeconds: 5,
    ...fetchPod({ pullSecret }),
    containers: [
      {
        name: "locust",
        image,
        args: ["--locustfile=/locust/locustfile.py", `--${role}`, ...args],
        env: [
          { name: "ROLE", value: role },
          { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
          ...env,
        ],
        ...(ports ? { ports } : {}),
        ...(readinessProbe ? { readinessProbe } : {}),
        resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "512Mi" } },
        securityContext: restrictedContainer,
        volumeMounts: [
          { name: "program", mountPath: "/locust", readOnly: true },
          { name: "spec", mountPath: "/spec", readOnly: true },
          { name: "tmp", mountPath: "/tmp" },
          ...volumeMounts,
        ],
      },
    ],
    volumes: [
      { name: "program", configMap: { name: programName } },
      { name: "spec", configMap: { name: specName } },
      { name: "tmp", emptyDir: {} },
    ],
  };
}
