import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Metadata } from "../components/labels.ts";

export interface ResultJobArgs {
  /** Of the Job; its labels are also those of its pod. */
  readonly metadata: Metadata;
  /** Of the ConfigMap that the Job fills. */
  readonly result: Metadata;
  readonly pod: k8s.types.input.core.v1.PodSpec;
  /** After this long it has failed, whatever it is doing. */
  readonly seconds: number;
  /** What has to be there before it runs. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * Runs a Job once and hands back what it has written into a ConfigMap. Both are named by the caller after the experiment: nothing
 * runs while nothing changes.
 *
 * @param name with `-measured` the logical name of what is read
 */
export function resultOfJob(
  name: string,
  { metadata, result, pod, seconds, after }: ResultJobArgs,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<Readonly<Record<string, string>> | undefined> {
  const { parent } = opts;
  // Created empty, because a Role can allow writing to one name but not creating it. The Job fills it.
  const empty = new k8s.core.v1.ConfigMap(
    result.name,
    { metadata: result, data: { "result.json": "" } },
    { ...opts, ignoreChanges: ["data"] },
  );
  const job = new k8s.batch.v1.Job(
    metadata.name,
    {
      metadata: { ...metadata, annotations: { "pulumi.com/replaceUnready": "true" } },
      spec: {
        backoffLimit: 0,
        activeDeadlineSeconds: seconds,
        template: { metadata: { labels: metadata.labels }, spec: pod },
      },
    },
    {
      parent,
      dependsOn: [...after, empty],
      customTimeouts: { create: `${seconds + 60}s`, update: `${seconds + 60}s` },
    },
  );
  // The id comes out of the Job: it is unknown, and so not read, until the Job has run.
  const id = job.id.apply(() => `${result.namespace}/${result.name}`);
  return k8s.core.v1.ConfigMap.get(`${name}-measured`, id, { parent, dependsOn: [job] }).data;
}
