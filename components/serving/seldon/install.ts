import type * as pulumi from "@pulumi/pulumi";
import { seldonChart } from "./chart.ts";
import { SeldonOperator, type SeldonOperatorArgs } from "./operator.ts";

export interface SeldonInstallArgs extends SeldonOperatorArgs {
  /** `manifests`: our own, of the operator alone. `chart`: the official one. `installed`: nothing to do. */
  readonly operator: "manifests" | "chart" | "installed";
  /** Port of the executor for HTTP; only the chart has one. */
  readonly executorPort: number;
}

/** Seldon's operator, and what has to be there before a SeldonDeployment. */
export function seldonOperator(
  name: string,
  args: SeldonInstallArgs,
  opts: pulumi.ComponentResourceOptions & pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  switch (args.operator) {
    case "manifests":
      return [new SeldonOperator(name, args, opts)];
    case "chart":
      return [seldonChart(name, args, opts)];
    case "installed":
      return [];
  }
}
