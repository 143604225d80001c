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
 * It is complete when one of its pods has succeeded, also if another was lost on the way: there is a result then, and it says so.
 * When the coordinator could not measure, all of them fail, and the next deployment makes this Job anew as it does the
 * coordinator's.
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
      annotations: { "pulumi.com/skipAwait": "true", "pulumi.com/replaceUnready": "true" },
    },
    spec: {
      completionMode: "Indexed",
      completions: count,
      parallelism: count,
      backoffLimitPerIndex: 0,
      successPolicy: { rules: [{ succeededCount: 1 }] },
      activeDeadlineSeconds: seconds,
      template: { metadata: { labels }, spec: workerPod(args, { [label]: value }) },
    },
  };
}
