import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { EnvoyArgs } from "./envoy.ts";
import { type IstiodArgs, SYSTEM_NAMESPACE } from "./istiod.ts";

export interface ChartsArgs {
  readonly istiod: Pick<IstiodArgs, "cpu" | "memory">;
  readonly envoy: Pick<
    EnvoyArgs,
    "namespace" | "service" | "serviceType" | "label" | "threads" | "replicas" | "memory"
  >;
}

const VERSION = "1.31.1";
const REPOSITORY = { repo: "https://istio-release.storage.googleapis.com/charts" };

/** Istio from its official charts, in their order. Needs the official provider, and a cluster that can pull images. */
export function istioCharts(
  name: string,
  { istiod, envoy }: ChartsArgs,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  // A Release and not a Chart: it waits until what it installs is there, and leaves alone what istiod changes in its webhooks.
  const release = (chart: string, of: { name: string; namespace: string; values: object }, after: pulumi.Resource[]) =>
    new k8s.helm.v3.Release(
      `${name}-${chart}`,
      { chart, version: VERSION, repositoryOpts: REPOSITORY, createNamespace: true, timeout: 300, ...of },
      after.length > 0 ? { ...opts, dependsOn: after } : opts,
    );
  const base = release("base", { name: "istio-base", namespace: SYSTEM_NAMESPACE, values: {} }, []);
  const control = release(
    "istiod",
    {
      name: "istiod",
      namespace: SYSTEM_NAMESPACE,
      values: {
        autoscaleEnabled: false,
        resources: { requests: { cpu: istiod.cpu, memory: istiod.memory }, limits: { memory: istiod.memory } },
      },
    },
    [base],
  );
  const gateway = release(
    "gateway",
    {
      name: envoy.service,
      namespace: envoy.namespace,
      values: {
        labels: { istio: envoy.label },
        service: { type: envoy.serviceType },
        replicaCount: envoy.replicas,
        autoscaling: { enabled: false },
        resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: envoy.memory } },
        podAnnotations: { "proxy.istio.io/config": JSON.stringify({ concurrency: envoy.threads }) },
      },
    },
    [control],
  );
  return [base, control, gateway];
}
