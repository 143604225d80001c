import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Benchmark } from "../benchmarks/benchmark.ts";
import { bundleClient } from "../benchmarks/client/bundle.ts";
import { bundlePage } from "../benchmarks/live/bundle.ts";
import { DISCOVERY } from "../components/gateway/definitions.ts";
import { Gateway, Route } from "../components/gateway/gateway.ts";
import { labelsOf } from "../components/labels.ts";
import { ENFORCE_BASELINE, ENFORCE_RESTRICTED } from "../components/restricted.ts";
import { Autoscaler } from "../components/scaling/autoscaler.ts";
import { existingMetricsApi, MetricsServer } from "../components/scaling/metricsServer.ts";
import { InferenceService } from "../components/serving/inferenceService.ts";
import { seldonOperator } from "../components/serving/seldon/install.ts";
import { bundleFetch } from "../components/storage/fetch/bundle.ts";
import { ModelUpload } from "../components/storage/modelUpload.ts";
import { readConfig } from "./config.ts";
import {
  BENCHMARK,
  experimentArgs,
  experimentImages,
  GATEWAY,
  inputsOf,
  ownImages,
  placeOf,
  planOf,
  REGISTRY,
  SERVER,
  STORE,
  serviceArgs,
} from "./experiment.ts";
import { costOf, gatewayFiles, gatewayWarnings, type Path } from "./gateway.ts";
import { locustOf, locustOutput } from "./locust.ts";
import { cephOf, objectStoreOf } from "./objectStore.ts";
import { registryOf } from "./registry.ts";
import { serverWarnings } from "./server.ts";
import { trainingOf } from "./training.ts";
import { tuned } from "./tuning.ts";

const config = readConfig();
const { cluster, model, autoscaling, benchmark: measure } = config;
const { executor } = config.seldon;
const isSeldon = config.engine === "seldon";
const cpuPlan = planOf(config);
const place = placeOf(pulumi.getStack(), config);
const name = place.namespace;
const own = ownImages(config);
const images = experimentImages(config, place);
const { note } = tuned(config);
if (note) pulumi.log.info(note);
for (const warning of [...serverWarnings(config), ...gatewayWarnings(config)]) pulumi.log.warn(warning);
const [client, fetchProgram, page] = await Promise.all([
  bundleClient(),
  bundleFetch(),
  measure.control ? bundlePage() : undefined,
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
  {
    metadata: {
      name,
      labels: { ...labelsOf("inference", name), ...level, ...(config.gateway.enabled ? DISCOVERY : {}) },
    },
  },
  { provider },
);

const ceph = cephOf(config, own, { provider });
const store = objectStoreOf(STORE, config, { ...place, ceph }, own, {
  provider,
  dependsOn: ceph ? [namespace, ceph] : [namespace],
});

const { registry, pushed } = registryOf(
  REGISTRY,
  config,
  { ...place, images: own, store },
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
      GATEWAY,
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

const shared = { place, plan: cpuPlan, model: upload.fetch };
const service = new InferenceService(SERVER, serviceArgs(config, shared), {
  provider,
  dependsOn: [upload, ...operator],
});

const route = gateway
  ? new Route(
      "route",
      {
        ...place,
        service: service.facts,
        gateway,
        timeoutSeconds: config.gateway.timeout,
        maxConnections: config.gateway.maxConnections,
        hasSeldonRoutes: isSeldon,
      },
      { provider, dependsOn: [service] },
    )
  : undefined;

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
        { ...autoscaling, namespace: name, targets: service.facts.scaleTargets, min: config.instances },
        { provider, dependsOn: [service, ...metricsApi] },
      ),
    ]
  : [];

const measureBy = (path: Path, named: string, after: pulumi.Resource[]) =>
  new Benchmark(
    named,
    {
      ...experimentArgs(config, { ...shared, client, path }),
      service: service.facts,
      after: [service, ...autoscaler, ...after],
      page: page?.code,
    },
    { provider, dependsOn: [namespace] },
  );
const routes = route ? [route] : [];
const experiment = measure.enabled ? measureBy(measure.path, BENCHMARK, routes) : undefined;
const otherPath = measure.path === "gateway" ? "service" : "gateway";
const other =
  experiment && measure.comparePaths
    ? measureBy(otherPath, `${BENCHMARK}-${otherPath}`, [experiment, ...routes])
    : undefined;

// One measurement after the other: together they would measure each other.
const measured = [other ?? experiment ?? service];
const locustRun = await locustOf(
  "locust",
  config,
  { namespace: name, images, service: service.facts, plan: cpuPlan, inputs: inputsOf(config, upload.fetch) },
  { provider, dependsOn: [namespace, ...measured] },
);
const trainer = await trainingOf(
  "training",
  config,
  { namespace: name, images, pullSecret: registry?.pullSecret },
  { provider, dependsOn: [namespace, ...pushed, ...(locustRun ? [locustRun] : measured)] },
);

/** Where the servers answer, inside the cluster. */
export const endpoint = service.facts.endpoint;
/** The bucket with the models, as the servers see it. */
export const objectStore = store.bucket;
/** The registry of images, and what nodes have to be told that this machine does not see; null without one. */
export const imageRegistry = registry
  ? { host: registry.host, pullSecret: registry.pullSecret, trust: registry.trust }
  : null;
/** Which CPUs each server was given. */
export const plan = { pinning: config.pinning, ...cpuPlan };
/** The whole result of the benchmark, and of it what is read at a glance. */
export const benchmark = experiment?.result;
export const throughput = experiment?.result.throughput;
export const latencyMs = experiment?.result.latencyMs;
export const verdict = experiment?.result.verdict;
/** How the autoscaler met the load; null without one. */
export const scaling = experiment?.result.apply(({ scaling }) => scaling ?? null) ?? null;
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
