import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { TrainingOperator, type TrainingOperatorArgs } from "./operator.ts";

export interface TrainingInstallArgs extends TrainingOperatorArgs {
  /** `manifests`: our own, for TFJobs of one namespace. `official`: the project's, of every kind, everywhere. `installed`: nothing to do. */
  readonly operator: "manifests" | "official" | "installed";
}

/** The project has no chart. Its manifests name the namespace `kubeflow` and the image by themselves. */
const OFFICIAL = "https://github.com/kubeflow/training-operator.git//manifests/overlays/standalone?ref=v1.9.4";

/** The operator of TFJobs, and what has to be there before a TFJob. */
export function trainingOperator(
  name: string,
  args: TrainingInstallArgs,
  opts: pulumi.ComponentResourceOptions,
): pulumi.Resource[] {
  switch (args.operator) {
    case "manifests":
      return [new TrainingOperator(name, args, opts)];
    case "official":
      return [new k8s.kustomize.v2.Directory(name, { directory: OFFICIAL }, opts)];
    case "installed":
      return [];
  }
}
