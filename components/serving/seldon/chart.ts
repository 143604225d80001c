import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

export interface SeldonChartArgs {
  readonly namespace: string;
  /** Port of the executor for HTTP: another than the server's, whose pod it is in. */
  readonly executorPort: number;
  /** `NAMESPACE/NAME` of the Gateway to which the operator attaches its routes. @default - it makes none */
  readonly gateway?: string;
}

/** The last version of the chart under the Apache licence; from 1.18 on production use has to be paid for. */
const CHART = {
  chart: "seldon-core-operator",
  version: "1.17.1",
  repositoryOpts: { repo: "https://storage.googleapis.com/seldon-charts" },
};

/** Seldon Core's operator with its executor, from the official chart. Needs the official provider, and a cluster that can pull images. */
export function seldonChart(
  name: string,
  { namespace, executorPort, gateway }: SeldonChartArgs,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  // A Release and not a Chart: it runs the chart's hooks, and waits until the operator is there.
  return new k8s.helm.v3.Release(
    name,
    {
      ...CHART,
      name,
      namespace,
      createNamespace: true,
      values: {
        executor: { port: executorPort },
        istio: gateway === undefined ? { enabled: false } : { enabled: true, gateway },
        ambassador: { enabled: false },
        usageMetrics: { enabled: false },
      },
      timeout: 300,
    },
    opts,
  );
}
