import type { types } from "@pulumi/kubernetes";
import { labelsOf } from "../components/labels.ts";
import { type ClientPodArgs, workerPod } from "./jobPod.ts";
import type { BenchmarkSpec } from "./spec.ts";

/** Of the workers of one experiment, and of no other. */
const EXPERIMENT_LABEL = "inference-stack/experiment";

/** What the workers of an experiment are found by; the key is not known yet when it is chosen that there are any. */
export const workerSelector = (name: string, key: string): string => `${EXPERIMENT_LABEL}=${name}-${key}`;

/**
 * The Job whose pods make the load when there is more than one. Pulumi does not wait for it: its pods end when the coordinator
 * has what it needs of them.
 *
 * Every pod stands for itself: one that is lost neither ends the others, whose part of the result is kept, nor is it started
 * again. How the Job ends means nothing to Pulumi: it belongs to one experiment and is replaced with it.
 */
export function workerJob(
  name: string,
  args: ClientPodArgs & { readonly namespace: string; readonly jobName: string; readonly seconds: number },
): types.input.batch.v1.Job {
  const { namespace, jobName, seconds, spec } = args;
  const { count, selector } = spec.workers as NonNullable<BenchmarkSpec["workers"]>;
  const [label, value] = selector.split("=") as [string, string];
  const labels = { ...labelsOf("benchmark-worker", name), [label]: value };
  return {
    metadata: {
      namespace,
      name: jobName,
      labels,
      annotations: { "pulumi.com/skipAwait": "true" },
    },
    spec: {
      completionMode: "Indexed",
      completions: count,
      parallelism: count,
      backoffLimitPerIndex: 0, // a backoffLimit of 0 would end the others too
      activeDeadlineSeconds: seconds,
      template: { metadata: { labels }, spec: workerPod(args, { [label]: value }) },
    },
  };
}
