import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../labels.ts";
import type { ScaleTarget } from "../serving/engines/engine.ts";

export interface AutoscalerArgs {
  readonly namespace: string;
  /** Each is scaled by itself. */
  readonly targets: readonly ScaleTarget[];
  /** Pods of each target. */
  readonly min: number;
  readonly max: number;
  /** CPU use to keep to, in percent of what the pods request. */
  readonly averageUtilization: number;
  /** For how long a higher need must have stood before pods are added, and a lower one before they go, in seconds. */
  readonly stabilization: { readonly up: number; readonly down: number };
}

/** How long it may take until the use of CPU is known, which is a few rounds of metrics-server and of the autoscaler. */
const READY_SECONDS = 120;

/** Adds and removes pods with the CPU they use. When it is done, it knows that use; where there is no metrics API it fails. */
export class Autoscaler extends pulumi.ComponentResource {
  constructor(name: string, args: AutoscalerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:scaling:Autoscaler", name, {}, opts);
    const { namespace, targets, min, max, averageUtilization, stabilization } = args;
    // One pod more or one less at a time, and then a look at what that did.
    const policies = [{ type: "Pods", value: 1, periodSeconds: 15 }];
    for (const target of targets)
      new k8s.autoscaling.v2.HorizontalPodAutoscaler(
        `${name}-${target.name}`,
        {
          metadata: {
            namespace,
            name: target.name,
            labels: labelsOf("autoscaler", name),
            annotations: { "pulumi.com/waitFor": "condition=ScalingActive" },
          },
          spec: {
            scaleTargetRef: target,
            minReplicas: min,
            maxReplicas: max,
            metrics: [
              { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization } } },
            ],
            behavior: {
              scaleUp: { stabilizationWindowSeconds: stabilization.up, policies },
              scaleDown: { stabilizationWindowSeconds: stabilization.down, policies },
            },
          },
        },
        {
          parent: this,
          dependsOn: opts?.dependsOn,
          customTimeouts: { create: `${READY_SECONDS}s`, update: `${READY_SECONDS}s` },
        },
      );
    this.registerOutputs({});
  }
}
