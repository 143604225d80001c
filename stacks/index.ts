import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Benchmark } from "../benchmarks/benchmark.ts";
import { bundleClient } from "../benchmarks/client/bundle.ts";
import { publicImages } from "../components/images.ts";
import { labelsOf } from "../components/labels.ts";
import { ENFORCE_BASELINE, ENFORCE_RESTRICTED } from "../components/restricted.ts";
import { Autoscaler } from "../components/scaling/autoscaler.ts";
import { existingMetricsApi, MetricsServer } from "../components/scaling/metricsServer.ts";
import { planCpus } from "../components/serving/cpuPlan.ts";
import { kubernetes } from "../components/serving/engines/kubernetes.ts";
import { seldon } from "../components/serving/engines/seldon.ts";
import { InferenceService } from "../components/serving/inferenceService.ts";
import { seldonOperator } from "../components/serving/seldon/install.ts";
import { PINNED_CPU_REQUEST } from "../components/serving/serverPod.ts";
import { bundleFetch } from "../components/storage/fetch/bundle.ts";
import { ModelUpload } from "../components/storage/modelUpload.ts";
import { ObjectStore } from "../components/storage/objectStore.ts";
import { readConfig } from "./config.ts";
import { loadOf } from "./load.ts";
import { scalingOf } from "./scaling.ts";
import { modelServerOf, requestsOf, serverWarnings, transformerOf } from "./server.ts";

const config = readConfig();
const { cluster, model, autoscaling, benchmark: measure } = config;
const { executor } = config.seldon;
const isSeldon = config.engine === "seldon";
const images = { ...publicImages, ...config.images };
const cpuPlan = planCpus({ ...config, nodes: cluster.nodes });
const requests = requestsOf(config);
for (const warning of serverWarnings(config)) pulumi.log.warn(warning);
const [client, fetchProgram] = await Promise.all([bundleClient(), bundleFetch()]);

const provider = new k8s.Provider("cluster", {
  kubeconfig: cluster.kubeconfig,
  context: cluster.context,
  clusterIdentifier: `${cluster.kind}/${cluster.context}`,
});
const name = `inference-${pulumi
  .getStack()
  .toLowerCase()
  .replaceAll(/[^a-z0-9]+/g, "-")}`;
// Seldon's executor does not meet the level that all our own pods meet.
const level = isSeldon && executor.enabled ? ENFORCE_BASELINE : ENFORCE_RESTRICTED;
const namespace = new k8s.core.v1.Namespace(
  "inference",
  { metadata: { name, labels: { ...labelsOf("inference", name), ...level } } },
  { provider },
);
const place = { namespace: name, domain: cluster.domain };

const store = new ObjectStore(
  "object-store",
  { ...place, ...config.objectStore, image: images.minio },
  { provider, dependsOn: [namespace] },
);

const upload = new ModelUpload(
  "model",
  {
    model: model.name,
    version: model.version,
    source: model.source,
    store,
    kubeconfig: cluster.kubeconfig,
    context: cluster.context,
    image: images.node,
    fetchProgram,
  },
  { provider, dependsOn: [namespace] },
);

const operator = isSeldon
  ? seldonOperator(
      "seldon-operator",
      { ...config.seldon, watched: name, image: images["seldon-operator"], executorPort: executor.httpPort },
      { provider, dependsOn: [namespace] },
    )
  : [];
const throughExecutor = executor.enabled
  ? { ...executor, ports: { http: executor.httpPort, grpc: executor.grpcPort } }
  : undefined;

const service = new InferenceService(
  "server",
  {
    ...place,
    engine: isSeldon ? seldon({ executor: throughExecutor, transformer: transformerOf(config, images) }) : kubernetes,
    plan: cpuPlan,
    server: modelServerOf(config, images, (config.cpus / config.instances) * config.threadsPerCore),
    model: upload.fetch,
    cpuRequest: autoscaling.resourceLimiting ?? PINNED_CPU_REQUEST,
    isAutoscaled: autoscaling.enabled,
    readySeconds: config.server.readySeconds,
  },
  { provider, dependsOn: [upload, ...operator] },
);

const metricsApi = config.metricsServer.enabled
  ? [
      new MetricsServer(
        "metrics-server",
        { ...config.metricsServer, image: images["metrics-server"] },
        { provider, dependsOn: [namespace] },
      ),
    ]
  : autoscaling.enabled
    ? [existingMetricsApi("metrics-api", namespace, { provider })]
    : [];
const autoscaler = autoscaling.enabled
  ? [
      new Autoscaler(
        "autoscaler",
        { ...autoscaling, namespace: name, targets: service.scaleTargets, min: config.instances },
        { provider, dependsOn: [service, ...metricsApi] },
      ),
    ]
  : [];

const inputs = { ...upload.fetch, subPath: requests.folder };
const experiment = measure.enabled
  ? new Benchmark(
      "benchmark",
      {
        namespace: name,
        service,
        plan: cpuPlan,
        topology: config.topology,
        target: {
          protocol: measure.protocol,
          model: requests.name,
          input: requests.input,
          output: requests.output,
        },
        load: loadOf(measure),
        scaling: scalingOf(config, service.scaleTargets.length),
        threads: measure.threads,
        pods: measure.pods,
        control: measure.control,
        thresholds: measure.thresholds,
        readySeconds: config.server.readySeconds,
        rerun: measure.rerun,
        image: images.node,
        client,
        inputs,
      },
      { provider, dependsOn: [namespace, ...autoscaler] },
    )
  : undefined;

/** Where the servers answer, inside the cluster. */
export const endpoint = service.endpoint;
/** Which CPUs each server was given. */
export const plan = { pinning: config.pinning, ...cpuPlan };
/** The whole result of the benchmark, and of it what is read at a glance. */
export const benchmark = experiment?.result;
export const throughput = experiment?.result.throughput;
export const latencyMs = experiment?.result.latencyMs;
export const verdict = experiment?.result.verdict;
/** How the autoscaler met the load; null without one. */
export const scaling = experiment?.result.apply(({ scaling }) => scaling ?? null) ?? null;
