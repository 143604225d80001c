import type { types } from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { FetchArgs } from "../../storage/fetch/container.ts";
import type { CpuPlan } from "../cpuPlan.ts";
import type { ModelServer } from "../modelServer.ts";

export interface EngineArgs {
  /** Name of the service the servers belong to. */
  readonly name: string;
  readonly namespace: string;
  /** Labels of everything of the service; among those of every server pod. */
  readonly labels: Readonly<Record<string, string>>;
  readonly selector: Readonly<Record<string, string>>;
  readonly plan: CpuPlan;
  readonly server: ModelServer;
  /** Where the pods fetch the model from. */
  readonly model: FetchArgs;
  /** CPU a pod requests, such as `500m`. */
  readonly cpuRequest: string;
  /** Something else decides how many pods there are; the plan's number is only the first. */
  readonly isAutoscaled: boolean;
  /** How long all instances may take to become ready. */
  readonly readySeconds: number;
}

/** What an autoscaler changes the scale of. */
export interface ScaleTarget {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

export interface Deployed {
  /** Where a client reaches the servers' pods. */
  readonly ports: ModelServer["ports"];
  /** Planned CPU list by the name of the pod, or of the workload that has this one pod; empty when not pinned. */
  readonly cpusByPod: Readonly<Record<string, string>>;
  /** What the pods run; equal for equal servers. */
  readonly pods: readonly types.input.core.v1.PodSpec[];
  /** One for each node that serves. */
  readonly scaleTargets: readonly ScaleTarget[];
}

/**
 * Runs the servers of a plan: on each node one workload, because Pulumi creates first and deletes last, so that fewer instances
 * must be an update and not the deletion of something that would still run while the rest is measured. No rollout starts a second
 * pod on the same CPUs.
 */
export interface Engine {
  /** What there will be. Deploys nothing, so that an experiment has its key before anything runs. */
  describe(args: EngineArgs): Deployed;
  deploy(args: EngineArgs, opts: pulumi.CustomResourceOptions): void;
}
