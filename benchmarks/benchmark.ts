import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Access } from "../components/gateway/gateway.ts";
import { labelsOf } from "../components/labels.ts";
import { accountThatMay } from "../components/permission.ts";
import type { CpuPlan } from "../components/serving/cpuPlan.ts";
import type { ServiceFacts } from "../components/serving/inferenceService.ts";
import type { NodeTopology } from "../components/serving/topology.ts";
import type { FetchArgs } from "../components/storage/fetch/container.ts";
import { defaultTimeoutSeconds } from "./client/pacer.ts";
import { CLIENT_PORT, type ClientPodArgs, coordinatorPod, TRUST_FOLDER } from "./jobPod.ts";
import { experimentKey } from "./key.ts";
import { placementOf } from "./placement.ts";
import { parseResult, type Result } from "./result.ts";
import { resultOfJob } from "./resultJob.ts";
import type { BenchmarkSpec, Load, Target, Thresholds } from "./spec.ts";
import { workerJob, workerSelector } from "./workerJob.ts";

/** Everything that is chosen for an experiment. */
export interface ExperimentArgs {
  readonly namespace: string;
  /** The servers to measure. */
  readonly service: ServiceFacts;
  /** What stands before the servers, if the load is to go through it. */
  readonly through?: Access;
  readonly plan: CpuPlan;
  /** The nodes that the plan is of. */
  readonly topology: readonly NodeTopology[];
  readonly target: Pick<Target, "protocol" | "model" | "input" | "output">;
  readonly load: Load;
  /** Event loops in each pod. */
  readonly threads: number;
  /** Pods that make the load; one more coordinates them if they are several. */
  readonly pods: number;
  /** Open the control endpoint. */
  readonly control: boolean;
  readonly thresholds: Thresholds;
  /** An autoscaler may have up to `max` servers. Left out: there are as many as planned. */
  readonly scaling?: NonNullable<BenchmarkSpec["scaling"]> & {
    readonly max: number;
    /** How it is set; kept with the result. */
    readonly autoscaler: Readonly<Record<string, unknown>>;
  };
  /** How long the planned servers may take to be there alone. */
  readonly readySeconds: number;
  /** Raise it to measure the same experiment again. */
  readonly rerun: number;
  /** Image with Node.js. */
  readonly image: string;
  /** The bundled load client. */
  readonly client: { readonly code: string; readonly hash: string };
  /** Where the inputs come from. */
  readonly inputs: FetchArgs & { readonly subPath: string };
}

export interface BenchmarkArgs extends ExperimentArgs {
  /** The live page, which the pod with the control endpoint serves. No part of the experiment: another page measures nothing anew. */
  readonly page?: string;
  /** What has to be deployed before it measures. */
  readonly after: readonly pulumi.Resource[];
}

/** What a Job takes besides waiting and measuring: its pod's start, fetching inputs, writing the result. */
const OVERHEAD_SECONDS = 240;
/** And besides with workers: until their pods run, and their start. */
const WORKERS_SECONDS = 150;
/** Where the length follows from the server's speed, the deadline is at most this. */
const LONGEST_SECONDS = 86_400;

/**
 * Measures the service with a Job and hands the result back. The experiment's key is in the names of the Job and of the result:
 * as long as nothing changes nothing runs, and any change runs anew. It is in their logical names too: what differs by key is
 * another resource, not a replacement of one, so that going back after a deployment that failed half-way finds the old one.
 */
export class Benchmark extends pulumi.ComponentResource {
  readonly key: string;
  readonly result: pulumi.Output<Result>;

  constructor(name: string, args: BenchmarkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:benchmarks:Benchmark", name, {}, opts);
    const { namespace, after, client } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const spec = benchmarkSpec(name, args);
    const labels = labelsOf("benchmark", name);
    const metadata = (named: string) => ({ namespace, name: named, labels });
    const clientName = `${name}-client-${client.hash.slice(0, 10)}`;
    const specName = `${name}-spec-${spec.key}`;
    this.key = spec.key;

    const bundle = new k8s.core.v1.ConfigMap(
      clientName,
      { metadata: metadata(clientName), data: { "client.cjs": client.code } },
      child,
    );
    const experiment = new k8s.core.v1.ConfigMap(
      specName,
      { metadata: metadata(specName), data: { "spec.json": JSON.stringify(spec, null, 2) } },
      child,
    );
    const account = accountThatMay(name, { metadata: metadata(name), rules: rules(spec.result.configMap) }, child);
    const seconds = expectedSeconds(args);
    const token = spec.workers || spec.control ? this.#token(name, metadata(`${name}-token`), child) : [];
    const page = spec.control && args.page !== undefined ? this.#page(metadata(`${name}-live`), args.page, child) : [];
    const pod: ClientPodArgs = {
      ...args,
      clientName,
      specName,
      tokenName: token.length > 0 ? `${name}-token` : undefined,
      trustName: args.through?.secretName,
      spec,
    };
    const ready = [...after, bundle, experiment, ...token, ...page];
    const workersName = `${name}-workers-${spec.key}`;
    const workers = spec.workers
      ? [
          new k8s.batch.v1.Job(workersName, workerJob(name, { ...pod, namespace, jobName: workersName, seconds }), {
            parent: this,
            dependsOn: ready,
          }),
        ]
      : [];
    const written = resultOfJob(
      name,
      {
        metadata: metadata(`${name}-${spec.key}`),
        result: metadata(spec.result.configMap),
        pod: coordinatorPod({ ...pod, account: name, pageName: page.length > 0 ? `${name}-live` : undefined }),
        seconds,
        after: [...ready, account, ...workers],
      },
      child,
    );
    this.result = written.apply((data) => readResult(data, spec));
    this.registerOutputs({ key: this.key });
  }

  #page(
    metadata: k8s.types.input.meta.v1.ObjectMeta & { name: string },
    html: string,
    child: pulumi.CustomResourceOptions,
  ): pulumi.Resource[] {
    return [new k8s.core.v1.ConfigMap(metadata.name, { metadata, data: { "index.html": html } }, child)];
  }

  /** What the workers and whoever uses the control endpoint have to know. */
  #token(
    name: string,
    metadata: k8s.types.input.meta.v1.ObjectMeta,
    child: pulumi.CustomResourceOptions,
  ): pulumi.Resource[] {
    const { result } = new random.RandomPassword(`${name}-token`, { length: 40, special: false }, { parent: this });
    return [new k8s.core.v1.Secret(`${name}-token`, { metadata, stringData: { token: result } }, child)];
  }
}

/** The experiment as the client reads it. Its key covers all of it, what the servers run, and the client's code. */
export function benchmarkSpec(name: string, args: ExperimentArgs): BenchmarkSpec {
  const { namespace, service, plan, target, load, threads, thresholds, readySeconds, rerun, client, image, inputs } =
    args;
  const { host, ports } = service.endpoint;
  const { through } = args;
  const clientCpus = plan.nodes[0].clientCpus ?? undefined;
  const placement = placementOf(plan, args.topology);
  const count = plan.nodes.reduce((sum, { instances }) => sum + instances.length, 0);
  const chosen = {
    target: { ...target, ...(through ? targetOf(through) : { host, port: portOf(ports, target.protocol) }) },
    load,
    ...(threads > 1 ? { threads } : {}),
    ...(args.control ? { control: { port: CLIENT_PORT } } : {}),
    thresholds,
    servers: {
      namespace,
      ...(through ? { host } : {}),
      selector: Object.entries(service.selector)
        .map(([key, value]) => `${key}=${value}`)
        .join(","),
      planHash: plan.hash,
      count,
      ...(args.scaling && { max: args.scaling.max }),
      readySeconds,
      ...(Object.keys(service.cpusByPod).length > 0 ? { cpus: service.cpusByPod } : {}),
      ...(placement.length > 0 ? { placement } : {}),
    },
    ...(args.scaling && { scaling: { slo: args.scaling.slo, coresPerServer: args.scaling.coresPerServer } }),
    ...(clientCpus === undefined ? {} : { clientCpus }),
    about: {
      ...(args.scaling && { autoscaler: args.scaling.autoscaler }),
      plan: plan.nodes,
      model: inputs.prefix,
      images: { client: image, server: service.image },
      ...(through ? { path: "gateway" } : {}),
      rerun,
    },
  };
  const several = args.pods > 1 ? { workers: args.pods } : {};
  const key = experimentKey({ chosen, ...several, pods: service.pods, client: client.hash });
  return {
    key,
    ...chosen,
    ...(args.pods > 1
      ? { workers: { namespace, selector: workerSelector(name, key), count: args.pods, port: CLIENT_PORT } }
      : {}),
    result: { namespace, configMap: `${name}-result-${key}` },
  };
}

/** Over TLS, under the name that the certificate has. */
function targetOf({
  address,
  port,
  host,
  hasCa,
  isMutual,
}: Access): Pick<Target, "host" | "port" | "authority" | "tls"> {
  const file = (name: string) => `${TRUST_FOLDER}/${name}`;
  return {
    host: address,
    port,
    authority: host,
    tls: {
      ...(hasCa ? { caFile: file("ca.crt") } : {}),
      ...(isMutual ? { certFile: file("tls.crt"), keyFile: file("tls.key") } : {}),
      serverName: host,
    },
  };
}

function portOf(ports: Readonly<Partial<Record<string, number>>>, protocol: string): number {
  const port = ports[protocol];
  if (port !== undefined) return port;
  throw new pulumi.RunError(
    `benchmark.protocol: the server does not speak ${protocol}; it speaks ${Object.keys(ports)}.`,
  );
}

function rules(result: string): k8s.types.input.rbac.v1.PolicyRule[] {
  return [
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
    { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [result], verbs: ["get", "update", "patch"] },
  ];
}

/** After this long the Job has failed, whatever it is doing. */
export function expectedSeconds({
  load,
  readySeconds,
  pods,
}: Pick<ExperimentArgs, "load" | "readySeconds" | "pods">): number {
  const { warmupSeconds, timeoutSeconds = defaultTimeoutSeconds } = load;
  const measuring = Math.min(longest(load, timeoutSeconds), LONGEST_SECONDS);
  const overhead = OVERHEAD_SECONDS + (pods > 1 ? WORKERS_SECONDS : 0);
  return Math.ceil(readySeconds + warmupSeconds + measuring + timeoutSeconds + overhead);
}

/** How long the measured interval may take; where a number of requests ends it, if each takes as long as it may. */
function longest(load: Load, timeoutSeconds: number): number {
  if (load.mode === "open") return load.stages.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  if (load.mode === "mlperf") return LONGEST_SECONDS;
  return load.durationSeconds ?? (load.repeats ?? 0) * timeoutSeconds;
}

function readResult(data: Readonly<Record<string, string>> | undefined, { key, result }: BenchmarkSpec): Result {
  const text = data?.["result.json"];
  if (!text)
    throw new pulumi.RunError(
      `The benchmark Job has ended, but ConfigMap ${result.namespace}/${result.configMap} holds no result; set benchmark.rerun to measure again.`,
    );
  const parsed = parseOrRunError(text);
  if (parsed.key !== key)
    throw new pulumi.RunError(
      `ConfigMap ${result.namespace}/${result.configMap} holds the result of experiment ${parsed.key}, not ${key}.`,
    );
  return parsed;
}

function parseOrRunError(text: string): Result {
  try {
    return parseResult(text);
  } catch (error) {
    throw new pulumi.RunError((error as Error).message);
  }
}
