import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labelsOf, selectorOf } from "../labels.ts";
import { MASTER_PORT, masterPod, type Run, type SharedPod, workerPod } from "./locustPods.ts";

export interface LocustArgs extends Omit<SharedPod, "programName" | "specName"> {
  readonly namespace: string;
  /** The locustfile and what it imports, by the name of the file. */
  readonly program: Readonly<Record<string, string>>;
  /** What the locustfile reads: the server and how to speak to it. */
  readonly spec: object;
  readonly workers: number;
  /** With a web page, from which runs are started; or without one a single run, which ends. */
  readonly mode: { readonly web: LocustWeb } | { readonly run: LocustRunArgs };
}

/** The web page: its port, and what it offers to begin with. */
export interface LocustWeb {
  readonly port: number;
  readonly users: number;
  readonly spawnRate: number;
}

export interface LocustRunArgs extends Run {
  /** In the names of all that belongs to this run alone. */
  readonly key: string;
  /** After this long it has failed. */
  readonly timeoutSeconds: number;
}

/** Where the web page is. */
export interface LocustPage {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  readonly user: string;
  /** Secret with the key `password`. */
  readonly secretName: string;
}

/**
 * Locust: a master and workers. With a web page, from which runs are started, they are Deployments that stay; without one they are
 * Jobs that make one run and end.
 */
export class Locust extends pulumi.ComponentResource {
  readonly page: LocustPage | undefined;
  /** Of a run: the Job whose pod's log ends with what was measured. */
  readonly master: k8s.batch.v1.Job | undefined;

  constructor(name: string, args: LocustArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:load:Locust", name, {}, opts);
    const { mode } = args;
    const base = "run" in mode ? `${name}-${mode.run.key}` : name;
    const target = { "spec.json": JSON.stringify(args.spec, null, 2) };
    const [program, spec] = [fileName(`${base}-program`, args.program), fileName(`${base}-target`, target)];
    const pod: SharedPod = { ...args, programName: program, specName: spec };
    const metadata = (file: string) => ({ namespace: args.namespace, name: file, labels: labelsOf("locust", base) });
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const files = [
      new k8s.core.v1.ConfigMap(program, { metadata: metadata(program), data: { ...args.program } }, child),
      new k8s.core.v1.ConfigMap(spec, { metadata: metadata(spec), data: target }, child),
    ];
    if ("run" in mode) this.master = this.#jobs(base, args, mode.run, pod, files);
    else this.page = this.#deployments(base, args, mode.web, pod, files);
    this.registerOutputs({ page: this.page });
  }

  /** Pulumi waits for neither: how the run ends is said by what reads the master's log. */
  #jobs(
    base: string,
    { namespace, workers }: LocustArgs,
    run: LocustRunArgs,
    pod: SharedPod,
    files: pulumi.Resource[],
  ): k8s.batch.v1.Job {
    const [master, worker] = [labelsOf("locust-master", base), labelsOf("locust-worker", base)];
    const annotations = { "pulumi.com/skipAwait": "true" };
    const service = new k8s.core.v1.Service(
      base,
      {
        metadata: { namespace, name: base, labels: master, annotations },
        // Workers have to find the master before it is ready: it waits for them.
        spec: {
          clusterIP: "None",
          publishNotReadyAddresses: true,
          selector: selectorOf("locust-master", base),
          ports: [{ name: "master", port: MASTER_PORT, targetPort: "master" }],
        },
      },
      { parent: this, dependsOn: files },
    );
    const limits = { backoffLimit: 0, activeDeadlineSeconds: run.timeoutSeconds };
    const job = new k8s.batch.v1.Job(
      `${base}-master`,
      {
        metadata: { namespace, name: `${base}-master`, labels: master, annotations },
        spec: { ...limits, template: { metadata: { labels: master }, spec: masterPod(pod, { run, workers }) } },
      },
      { parent: this, dependsOn: [service] },
    );
    new k8s.batch.v1.Job(
      `${base}-workers`,
      {
        metadata: { namespace, name: `${base}-workers`, labels: worker, annotations },
        spec: {
          completionMode: "Indexed",
          completions: workers,
          parallelism: workers,
          backoffLimitPerIndex: 0, // one that is lost does not end the others
          activeDeadlineSeconds: run.timeoutSeconds,
          template: { metadata: { labels: worker }, spec: { ...workerPod(pod, base), restartPolicy: "Never" } },
        },
      },
      { parent: this, dependsOn: [job] },
    );
    return job;
  }

  #deployments(
    base: string,
    { namespace, workers }: LocustArgs,
    web: LocustWeb,
    pod: SharedPod,
    files: pulumi.Resource[],
  ): LocustPage {
    const [master, worker] = [labelsOf("locust-master", base), labelsOf("locust-worker", base)];
    const secretName = `${base}-web`;
    const { result } = new random.RandomPassword(secretName, { length: 24, special: false }, { parent: this });
    const password = new k8s.core.v1.Secret(
      secretName,
      { metadata: { namespace, name: secretName, labels: master }, stringData: { password: result } },
      { parent: this, dependsOn: files },
    );
    const leader = new k8s.apps.v1.Deployment(
      `${base}-master`,
      {
        metadata: { namespace, name: `${base}-master`, labels: master },
        spec: {
          replicas: 1,
          strategy: { type: "Recreate" }, // workers follow one master
          selector: { matchLabels: selectorOf("locust-master", base) },
          template: { metadata: { labels: master }, spec: masterPod(pod, { web: { ...web, secretName } }) },
        },
      },
      { parent: this, dependsOn: [password] },
    );
    const service = new k8s.core.v1.Service(
      base,
      {
        metadata: { namespace, name: base, labels: master },
        spec: {
          selector: selectorOf("locust-master", base),
          ports: [
            { name: "http-web", port: web.port, targetPort: "web" },
            { name: "master", port: MASTER_PORT, targetPort: "master" },
          ],
        },
      },
      { parent: this, dependsOn: [leader] },
    );
    new k8s.apps.v1.Deployment(
      `${base}-workers`,
      {
        metadata: { namespace, name: `${base}-workers`, labels: worker },
        spec: {
          replicas: workers,
          selector: { matchLabels: selectorOf("locust-worker", base) },
          template: { metadata: { labels: worker }, spec: workerPod(pod, base) },
        },
      },
      { parent: this, dependsOn: [service] },
    );
    return { namespace, service: base, port: web.port, user: "locust", secretName };
  }
}

/** A file that changes gets another name, so that the pods that read it are made anew. */
const fileName = (name: string, data: Readonly<Record<string, string>>): string =>
  `${name}-${createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 10)}`;
