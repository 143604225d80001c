import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Benchmark } from "../benchmarks/benchmark.ts";
import { bundleClient } from "../benchmarks/client/bundle.ts";
import { DISCOVERY } from "../components/gateway/definitions.ts";
import { Gateway, Route } from "../components/gateway/gateway.ts";
import { publicImages } from "../components/images.ts";
import { labelsOf } from "../components/labels.ts";
import { ENFORCE_BASELINE, ENFORCE_RESTRICTED } from "../components/restricted.ts";
import { Autoscaler } from "../components/scaling/autoscaler.ts";
import { MetricsServer } from "../components/scaling/metricsServer.ts";
import { planCpus } from "../components/serving/cpuPlan.ts";
import { kubernetes } from "../components/serving/engines/kubernetes.ts";
import { seldon } from "../components/serving/engines/seldon.ts";
import { InferenceService } from "../components/serving/inferenceService.ts";
import { seldonOperator } from "../components/serving/seldon/install.ts";
import { PINNED_CPU_REQUEST } from "../components/serving/serverPod.ts";
import { bundleFetch } from "../components/storage/fetch/bundle.ts";
import { ModelUpload } from "../components/storage/modelUpload.ts";
import { readConfig } from "./config.ts";
import { costOf, gatewayFiles, gatewayWarnings, type Path } from "./gateway.ts";
import { loadOf } from "./load.ts";
import { locustOf, locustOutput } from "./locust.ts";
import { cephOf, objectStoreOf } from "./objectStore.ts";
import { registryOf } from "./registry.ts";
import { modelServerOf, requestsOf, serverWarnings } from "./server.ts";
import { trainingOf } from "./training.ts";

const config = readConfig();
const { cluster, model, autoscaling, benchmark: measure } = config;
const { executor } = config.seldon;
const isSeldon = config.engine === "seldon";
const ownImages = { ...publicImages, ...config.images };
const cpuPlan = planCpus({ ...config, nodes: cluster.nodes });
const requests = requestsOf(config);
for (const warning of [...serverWarnings(config), ...gatewayWarnings(config)]) pulumi.log.warn(warning);
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
  {
    metadata: {
      name,
      labels: { ...labelsOf("inference", name), ...level, ...(config.gateway.enabled ? DISCOVERY : {}) },
    },
  },
  { provider },
);
const place = { namespace: name, domain: cluster.domain };

const ceph = cephOf(config, ownImages, { provider });
const store = objectStoreOf("object-store", config, { ...place, ceph }, ownImages, {
  provider,
  dependsOn: ceph ? [namespace, ceph] : [namespace],
});

const { registry, images, pushed } = registryOf(
  "registry",
  config,
  { ...place, images: ownImages, store },
  { provider, dependsOn: [namespace] },
);

const upload = new ModelUpload(
  "model",
  {
    model: model.name,
    version: model.version,
    source: model.source,
    store,
    cluster,
    image: images.node,
    pullSecret: registry?.pullSecret,
    fetchProgram,
  },
  { provider, dependsOn: [namespace, ...pushed] },
);

const gateway = config.gateway.enabled
  ? new Gateway(
      "gateway",
      {
        ...config.gateway,
        ...gatewayFiles(config),
        served: name,
        domain: cluster.domain,
        isMutual: config.gateway.mtls.enabled,
        images,
      },
      { provider, dependsOn: [namespace] },
    )
  : undefined;

const operator = isSeldon
  ? seldonOperator(
      "seldon-operator",
      {
        ...config.seldon,
        watched: name,
        image: images["seldon-operator"],
        executorPort: executor.httpPort,
        gateway: gateway?.gateway,
      },
      { provider, dependsOn: gateway ? [namespace, gateway] : [namespace] },
    )
  : [];
const throughExecutor = executor.enabled
  ? { ...executor, ports: { http: executor.httpPort, grpc: executor.grpcPort } }
  : undefined;

const service = new InferenceService(
  "server",
  {
    ...place,
    engine: isSeldon ? seldon(throughExecutor) : kubernetes,
    plan: cpuPlan,
    server: modelServerOf(config, images, (config.cpus / config.instances) * config.threadsPerCore),
    model: upload.fetch,
    cpuRequest: autoscaling.resourceLimiting ?? PINNED_CPU_REQUEST,
    isAutoscaled: autoscaling.enabled,
    readySeconds: config.server.readySeconds,
  },
  { provider, dependsOn: [upload, ...operator] },
);

const route = gateway
  ? new Route(
      "route",
      {
        ...place,
        service,
        gateway,
        timeoutSeconds: config.gateway.timeout,
        maxConnections: config.gateway.maxConnections,
        hasSeldonRoutes: isSeldon,
      },
      { provider, dependsOn: [service] },
    )
  : undefined;

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
    { ...autoscaling, namespace: name, targets: service.scaleTargets, min: config.instances },
    { provider, dependsOn: [service, ...metricsServer] },
  );

const inputs = { ...upload.fetch, subPath: requests.folder };
const measureBy = (path: Path, named: string, after: pulumi.Resource[]) =>
  new Benchmark(
    named,
    {
      namespace: name,
      service,
      through: path === "gateway" ? gateway?.access : undefined,
      plan: cpuPlan,
      target: {
        protocol: measure.protocol,
        model: requests.name,
        input: requests.input,
        output: requests.output,
      },
      load: loadOf(measure),
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
    { provider, dependsOn: [namespace, ...after] },
  );
const routes = route ? [route] : [];
const experiment = measure.enabled ? measureBy(measure.path, "benchmark", routes) : undefined;
const otherPath = measure.path === "gateway" ? "service" : "gateway";
const other =
  experiment && measure.comparePaths
    ? measureBy(otherPath, `benchmark-${otherPath}`, [experiment, ...routes])
    : undefined;

// One measurement after the other: together they would measure each other.
const measured = [other ?? experiment ?? service];
const locustRun = await locustOf(
  "locust",
  config,
  { namespace: name, images, service, plan: cpuPlan, inputs },
  { provider, dependsOn: [namespace, ...measured] },
);
const trainer = await trainingOf(
  "training",
  config,
  { namespace: name, images, pullSecret: registry?.pullSecret },
  { provider, dependsOn: [namespace, ...pushed, ...(locustRun ? [locustRun] : measured)] },
);

/** Where the servers answer, inside the cluster. */
export const endpoint = service.endpoint;
/** The bucket with the models, as the servers see it. */
export const objectStore = store.bucket;
/** The registry of images, and what nodes have to be told that this machine does not see. */
export const imageRegistry = registry && {
  host: registry.host,
  pullSecret: registry.pullSecret,
  trust: registry.trust,
};
/** Which CPUs each server was given. */
export const plan = { pinning: config.pinning, ...cpuPlan };
/** The whole result of the benchmark, and of it what is read at a glance. */
export const benchmark = experiment?.result;
export const throughput = experiment?.result.throughput;
export const latencyMs = experiment?.result.latencyMs;
export const verdict = experiment?.result.verdict;
/** Where Locust's web page is; without it, what its run measured and its own tables; null without Locust. */
export const locust = locustOutput(locustRun);
/** The whole result of the training benchmark; null without one. */
export const training = trainer?.result ?? null;
/** Which way the requests went; null if none did. */
export const path = experiment ? measure.path : null;
/** Where clients in the cluster reach the servers over TLS, and the authority to trust; null without a gateway. */
export const ingress = gateway ? { ...gateway.access, ca: gateway.ca } : null;
/** What the way through the gateway costs; null unless both ways were measured. */
export const gatewayCost =
  experiment && other
    ? pulumi.all([experiment.result, other.result]).apply(([a, b]) => costOf(measure.path, a, b))
    : null;
