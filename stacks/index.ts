import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Benchmark } from "../benchmarks/benchmark.ts";
import { bundleClient } from "../benchmarks/client/bundle.ts";
import { bundlePage } from "../benchmarks/live/bundle.ts";
import { labelsOf } from "../components/labels.ts";
import { ENFORCE_BASELINE, ENFORCE_RESTRICTED } from "../components/restricted.ts";
import { Autoscaler } from "../components/scaling/autoscaler.ts";
import { MetricsServer } from "../components/scaling/metricsServer.ts";
import { InferenceService } from "../components/serving/inferenceService.ts";
import { seldonOperator } from "../components/serving/seldon/install.ts";
import { bundleFetch } from "../components/storage/fetch/bundle.ts";
import { ModelUpload } from "../components/storage/modelUpload.ts";
import { ObjectStore } from "../components/storage/objectStore.ts";
import { readConfig } from "./config.ts";
import { BENCHMARK, experimentArgs, imagesOf, placeOf, planOf, SERVER, STORE, serviceArgs } from "./experiment.ts";
import { serverWarnings } from "./server.ts";
import { tuned } from "./tuning.ts";

const config = readConfig();
const { cluster, model, autoscaling } = config;
const { executor } = config.seldon;
const isSeldon = config.engine === "seldon";
const images = imagesOf(config);
const cpuPlan = planOf(config);
const place = placeOf(pulumi.getStack(), config);
const name = place.namespace;
const { note } = tuned(config);
if (note) pulumi.log.info(note);
for (const warning of serverWarnings(config)) pulumi.log.warn(warning);
const [client, fetchProgram, page] = await Promise.all([
  bundleClient(),
  bundleFetch(),
  config.benchmark.control ? bundlePage() : undefined,
]);

const provider = new k8s.Provider("cluster", {
  kubeconfig: cluster.kubeconfig,
  context: cluster.context,
  clusterIdentifier: `${cluster.kind}/${cluster.context}`,
});
// Seldon's executor does not meet the level that all our own pods meet.
const level = isSeldon && executor.enabled ? ENFORCE_BASELINE : ENFORCE_RESTRICTED;
const namespace = new k8s.core.v1.Namespace(
  "inference",
  { metadata: { name, labels: { ...labelsOf("inference", name), ...level } } },
  { provider },
);

const store = new ObjectStore(
  STORE,
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

const shared = { place, plan: cpuPlan, model: upload.fetch };
const service = new InferenceService(SERVER, serviceArgs(config, shared), {
  provider,
  dependsOn: [upload, ...operator],
});

const metricsServer = config.metricsServer.enabled
  ? [
      new MetricsServer(
        "metrics-server",
        { ...config.metricsServer, image: images["metrics-server"] },
        { provider, dependsOn: [namespace] },
      ),
    ]
  : [];
if (autoscaling.enabled)
  new Autoscaler(
    "autoscaler",
    { ...autoscaling, namespace: name, targets: service.facts.scaleTargets, min: config.instances },
    { provider, dependsOn: [service, ...metricsServer] },
  );

const experiment = config.benchmark.enabled
  ? new Benchmark(
      BENCHMARK,
      { ...experimentArgs(config, { ...shared, client }), service: service.facts, after: [service], page: page?.code },
      { provider, dependsOn: [namespace] },
    )
  : undefined;

/** Where the servers answer, inside the cluster. */
export const endpoint = service.facts.endpoint;
/** Which CPUs each server was given. */
export const plan = { pinning: config.pinning, ...cpuPlan };
/** The whole result of the benchmark, and of it what is read at a glance. */
export const benchmark = experiment?.result;
export const throughput = experiment?.result.throughput;
export const latencyMs = experiment?.result.latencyMs;
export const verdict = experiment?.result.verdict;
