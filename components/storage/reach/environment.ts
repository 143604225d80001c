import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { BucketAccess } from "../objectStore.ts";

/** The cluster, for a program on this machine. */
export interface ClusterAccess {
  /** @default - `$KUBECONFIG` or `~/.kube/config` */
  readonly kubeconfig?: string;
  readonly context: string;
}

/** Where the programs' paths begin. */
export const checkout = join(import.meta.dirname, "../../..");

/** What `connectStore` in another process reads. */
export function storeEnvironment(
  { bucket, accessKey, secretKey, ca, pods }: BucketAccess,
  cluster: ClusterAccess,
): Record<string, pulumi.Input<string>> {
  return {
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    AWS_REGION: bucket.region,
    AWS_ACCESS_KEY_ID: pulumi.secret(accessKey),
    AWS_SECRET_ACCESS_KEY: pulumi.secret(secretKey),
    ...(ca === undefined ? {} : { S3_CA: ca }),
    ...(pods === undefined ? {} : clusterEnvironment(cluster)),
    ...(pods === undefined
      ? {}
      : {
          POD_NAMESPACE: pods.namespace,
          POD_SELECTOR: selectorText(pods.selector),
          POD_PORT: String(pods.port),
        }),
  };
}

export function clusterEnvironment({ kubeconfig, context }: ClusterAccess): Record<string, string> {
  return { ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }), KUBE_CONTEXT: context };
}

export const selectorText = (selector: Readonly<Record<string, string>>) =>
  Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
