import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Benchmark } from "../benchmarks/benchmark.ts";
import { bundleClient } from "../benchmarks/client/bundle.ts";
import { publicImages } from "../components/images.ts";
import { labelsOf } from "../components/labels.ts";
import { ENFORCE_RESTRICTED } from "../components/restricted.ts";
import { planCpus } from "../components/serving/cpuPlan.ts";
import { InferenceService } from "../components/serving/inferenceService.ts";
import { bundleFetch } from "../components/storage/fetch/bundle.ts";
import { ModelUpload } from "../components/storage/modelUpload.ts";
import { ObjectStore } from "../components/storage/objectStore.ts";
import { readConfig } from "./config.ts";
import { modelServerOf, requestsOf, serverWarnings } from "./server.ts";

const config = readConfig();
const { cluster, model, benchmark: measure } = config;
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
const namespace = new k8s.core.v1.Namespace(
  "inference",
  { metadata: { name, labels: { ...labelsOf("inference", name), ...ENFORCE_RESTRICTED } } },
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

const service = new InferenceService(
  "server",
  {
    ...place,
    plan: cpuPlan,
    server: modelServerOf(config, images, (config.cpus / config.instances) * config.threadsPerCore),
    model: upload.fetch,
    readySeconds: config.server.readySeconds,
  },
  { provider, dependsOn: [upload] },
);

const inputs = { ...upload.fetch, subPath: requests.folder };
const experiment = measure.enabled
  ? new Benchmark(
      "benchmark",
      {
        namespace: name,
        service,
        plan: cpuPlan,
        target: {
          protocol: measure.protocol,
          model: requests.name,
          input: requests.input,
          output: requests.output,
        },
        load: {
          mode: "closed",
          clients: measure.clients,
          warmupSeconds: measure.warmup,
          durationSeconds: measure.duration,
          seed: measure.seed,
        },
        thresholds: measure.thresholds,
        readySeconds: config.server.readySeconds,
        rerun: measure.rerun,
        image: images.node,
        client,
        inputs,
      },
      { provider, dependsOn: [namespace] },
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
