import { benchmarkSpec, type ExperimentArgs } from "../benchmarks/benchmark.ts";
import type { BenchmarkSpec } from "../benchmarks/spec.ts";
import type { Bundle } from "../bundle.ts";
import { type Images, publicImages } from "../components/images.ts";
import { type CpuPlan, planCpus } from "../components/serving/cpuPlan.ts";
import { kubernetes } from "../components/serving/engines/kubernetes.ts";
import { seldon } from "../components/serving/engines/seldon.ts";
import { type InferenceServiceArgs, serviceFacts } from "../components/serving/inferenceService.ts";
import { PINNED_CPU_REQUEST } from "../components/serving/serverPod.ts";
import type { FetchArgs } from "../components/storage/fetch/container.ts";
import { fetchArgs } from "../components/storage/modelUpload.ts";
import { bucketOf } from "../components/storage/objectStore.ts";
import type { StackConfig } from "./config.ts";
import { loadOf } from "./load.ts";
import { modelServerOf, requestsOf } from "./server.ts";

/** What the components that make up an experiment are told. Nothing here deploys anything. */

/** Where a stack is deployed. */
export interface Place {
  readonly namespace: string;
  readonly domain: string;
}

/** Programs of ours that run in pods. */
export interface Programs {
  readonly client: Bundle;
  readonly fetch: Bundle;
}

/** Logical names, which are in names of objects and so in the experiment's key. */
export const STORE = "object-store";
export const SERVER = "server";
export const BENCHMARK = "benchmark";

/** The namespace of a stack. */
export const namespaceOf = (stack: string): string => `inference-${stack.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;

export function placeOf(stack: string, { cluster }: StackConfig): Place {
  return { namespace: namespaceOf(stack), domain: cluster.domain };
}

export const imagesOf = (config: StackConfig): Images => ({ ...publicImages, ...config.images });

export const planOf = (config: StackConfig): CpuPlan => planCpus({ ...config, nodes: config.cluster.nodes });

export function serviceArgs(
  config: StackConfig,
  { place, plan, model }: { place: Place; plan: CpuPlan; model: FetchArgs },
): InferenceServiceArgs {
  const { autoscaling, engine, seldon: settings } = config;
  const { executor } = settings;
  const throughExecutor = executor.enabled
    ? { ...executor, ports: { http: executor.httpPort, grpc: executor.grpcPort } }
    : undefined;
  return {
    ...place,
    engine: engine === "seldon" ? seldon(throughExecutor) : kubernetes,
    plan,
    server: modelServerOf(config, imagesOf(config), (config.cpus / config.instances) * config.threadsPerCore),
    model,
    cpuRequest: autoscaling.resourceLimiting ?? PINNED_CPU_REQUEST,
    isAutoscaled: autoscaling.enabled,
    readySeconds: config.server.readySeconds,
  };
}

/** The experiment without the servers it is done to. */
export function experimentArgs(
  config: StackConfig,
  { place, plan, model, client }: { place: Place; plan: CpuPlan; model: FetchArgs; client: Bundle },
): Omit<ExperimentArgs, "service"> {
  const { benchmark, server } = config;
  const requests = requestsOf(config);
  return {
    namespace: place.namespace,
    plan,
    target: {
      protocol: benchmark.protocol,
      model: requests.name,
      input: requests.input,
      output: requests.output,
    },
    load: loadOf(benchmark),
    threads: benchmark.threads,
    pods: benchmark.pods,
    control: benchmark.control,
    thresholds: benchmark.thresholds,
    readySeconds: server.readySeconds,
    rerun: benchmark.rerun,
    image: imagesOf(config).node,
    client,
    inputs: { ...model, subPath: requests.folder },
  };
}

export interface Experiment {
  readonly args: ExperimentArgs;
  readonly spec: BenchmarkSpec;
}

/** The experiment that a stack of this config is, with the key that its deployment will give it. */
export function experimentOf(config: StackConfig, stack: string, programs: Programs): Experiment {
  const place = placeOf(stack, config);
  const plan = planOf(config);
  const model = fetchArgs({
    model: config.model.name,
    version: config.model.version,
    image: imagesOf(config).node,
    bucket: bucketOf(STORE, place),
    programHash: programs.fetch.hash,
  });
  const service = serviceFacts(SERVER, serviceArgs(config, { place, plan, model }));
  const args = { ...experimentArgs(config, { place, plan, model, client: programs.client }), service };
  return { args, spec: benchmarkSpec(BENCHMARK, args) };
}
