import { benchmarkSpec, type ExperimentArgs } from "../benchmarks/benchmark.ts";
import type { BenchmarkSpec } from "../benchmarks/spec.ts";
import type { Bundle } from "../bundle.ts";
import { type Access, gatewayAccess } from "../components/gateway/gateway.ts";
import { type Images, publicImages } from "../components/images.ts";
import { type CpuPlan, planCpus } from "../components/serving/cpuPlan.ts";
import { kubernetes } from "../components/serving/engines/kubernetes.ts";
import { seldon } from "../components/serving/engines/seldon.ts";
import { type InferenceServiceArgs, serviceFacts } from "../components/serving/inferenceService.ts";
import { PINNED_CPU_REQUEST } from "../components/serving/serverPod.ts";
import type { FetchArgs } from "../components/storage/fetch/container.ts";
import { fetchArgs } from "../components/storage/modelUpload.ts";
import { pullSecretOf } from "../components/storage/registry/registry.ts";
import type { StackConfig } from "./config.ts";
import { gatewayFiles, type Path } from "./gateway.ts";
import { loadOf } from "./load.ts";
import { bucketOf } from "./objectStore.ts";
import { pulledImages } from "./registry.ts";
import { scalingOf } from "./scaling.ts";
import { modelServerOf, requestsOf, transformerOf } from "./server.ts";

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
export const REGISTRY = "registry";
export const GATEWAY = "gateway";
export const SERVER = "server";
export const BENCHMARK = "benchmark";

/** The namespace of a stack. */
export const namespaceOf = (stack: string): string => `inference-${stack.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;

export function placeOf(stack: string, { cluster }: StackConfig): Place {
  return { namespace: namespaceOf(stack), domain: cluster.domain };
}

/** Images as they are before any of them is in the stack's own registry. */
export const ownImages = (config: StackConfig): Images => ({ ...publicImages, ...config.images });

/** Images that pods of an experiment run. */
export const experimentImages = (config: StackConfig, place: Place): Images =>
  pulledImages(REGISTRY, config, { ...place, images: ownImages(config) });

export const planOf = (config: StackConfig): CpuPlan => planCpus({ ...config, nodes: config.cluster.nodes });

export function serviceArgs(
  config: StackConfig,
  { place, plan, model }: { place: Place; plan: CpuPlan; model: FetchArgs },
): InferenceServiceArgs {
  const { autoscaling, engine, seldon: settings } = config;
  const images = experimentImages(config, place);
  const executor = settings.executor.enabled
    ? { ...settings.executor, ports: { http: settings.executor.httpPort, grpc: settings.executor.grpcPort } }
    : undefined;
  return {
    ...place,
    engine: engine === "seldon" ? seldon({ executor, transformer: transformerOf(config, images) }) : kubernetes,
    plan,
    server: modelServerOf(config, images, (config.cpus / config.instances) * config.threadsPerCore),
    model,
    cpuRequest: autoscaling.resourceLimiting ?? PINNED_CPU_REQUEST,
    isAutoscaled: autoscaling.enabled,
    readySeconds: config.server.readySeconds,
  };
}

/** What requests are taken from. */
export const inputsOf = (config: StackConfig, model: FetchArgs) => ({ ...model, subPath: requestsOf(config).folder });

/** What a client has to know of the gateway. */
function accessOf(config: StackConfig, { namespace, domain }: Place): Access {
  const { gateway } = config;
  const facts = { ...gateway, ...gatewayFiles(config), served: namespace, domain, isMutual: gateway.mtls.enabled };
  return gatewayAccess(GATEWAY, facts);
}

/** The experiment without the servers it is done to. */
export function experimentArgs(
  config: StackConfig,
  parts: { place: Place; plan: CpuPlan; model: FetchArgs; client: Bundle; path: Path },
): Omit<ExperimentArgs, "service"> {
  const { benchmark, server } = config;
  const { place, plan, model, client, path } = parts;
  const requests = requestsOf(config);
  return {
    namespace: place.namespace,
    through: path === "gateway" ? accessOf(config, place) : undefined,
    plan,
    topology: config.topology,
    target: {
      protocol: benchmark.protocol,
      model: requests.name,
      input: requests.input,
      output: requests.output,
    },
    load: loadOf(benchmark),
    scaling: scalingOf(config, plan.nodes.filter(({ instances }) => instances.length > 0).length),
    threads: benchmark.threads,
    pods: benchmark.pods,
    control: benchmark.control,
    thresholds: benchmark.thresholds,
    readySeconds: server.readySeconds,
    rerun: benchmark.rerun,
    image: experimentImages(config, place).node,
    client,
    inputs: inputsOf(config, model),
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
    image: experimentImages(config, place).node,
    pullSecret: config.registry.enabled ? pullSecretOf(REGISTRY) : undefined,
    bucket: bucketOf(STORE, config, place),
    programHash: programs.fetch.hash,
  });
  const service = serviceFacts(SERVER, serviceArgs(config, { place, plan, model }));
  const args = {
    ...experimentArgs(config, { place, plan, model, client: programs.client, path: config.benchmark.path }),
    service,
  };
  return { args, spec: benchmarkSpec(BENCHMARK, args) };
}
