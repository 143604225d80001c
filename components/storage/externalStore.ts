import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../labels.ts";
import type { Bucket, BucketAccess, ObjectStore } from "./objectStore.ts";

/** A Secret that is in the cluster already. */
export interface SecretReference {
  readonly namespace: string;
  readonly name: string;
}

export interface ExternalStoreArgs {
  /** Where the servers are. */
  readonly namespace: string;
  /** URL without the bucket, reached by pods and by the machine that runs Pulumi. */
  readonly endpoint: string;
  readonly region: string;
  /** It has to be there already. */
  readonly bucket: string;
  /** Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, which may read the bucket. */
  readonly secret: SecretReference;
  /** The same, which may write. @default - `secret` */
  readonly uploadSecret?: SecretReference;
  /** PEM of the authority that vouches for the endpoint. @default - one that everyone knows */
  readonly ca?: string;
}

/** The bucket as the servers see it. */
export function externalBucket(
  name: string,
  args: Pick<ExternalStoreArgs, "namespace" | "endpoint" | "region" | "bucket"> & { readonly hasCa: boolean },
): Bucket {
  const { namespace, region, bucket, hasCa } = args;
  const endpoint = args.endpoint.replace(/\/+$/, "");
  return {
    endpoint,
    region,
    bucket,
    namespace,
    secretName: `${name}-read`,
    ...(hasCa ? { caBundle: `${name}-ca` } : {}),
  };
}

const KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const;

/** A bucket that somebody else keeps. Nothing is made there; its credentials are copied to where the servers are. */
export class ExternalStore extends pulumi.ComponentResource implements ObjectStore {
  readonly bucket: Bucket;
  readonly upload: BucketAccess;
  readonly identity: string;

  constructor(name: string, args: ExternalStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:ExternalStore", name, {}, opts);
    const { namespace, ca } = args;
    this.bucket = externalBucket(name, { ...args, hasCa: ca !== undefined });
    const { endpoint, bucket, secretName, caBundle } = this.bucket;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("object-store", name);

    const [accessKey, secretKey] = this.#keysOf(`${name}-given`, args.secret);
    const upload = args.uploadSecret ? this.#keysOf(`${name}-given-upload`, args.uploadSecret) : [accessKey, secretKey];
    new k8s.core.v1.Secret(
      secretName,
      {
        metadata: { namespace, name: secretName, labels },
        stringData: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
      },
      child,
    );
    if (caBundle)
      new k8s.core.v1.ConfigMap(
        caBundle,
        { metadata: { namespace, name: caBundle, labels }, data: { "ca.crt": ca as string } },
        child,
      );
    this.identity = `${endpoint}/${bucket}`;
    this.upload = { bucket: this.bucket, accessKey: upload[0], secretKey: upload[1], ca };
    this.registerOutputs({ bucket: this.bucket });
  }

  #keysOf(name: string, at: SecretReference): [pulumi.Output<string>, pulumi.Output<string>] {
    const { data } = k8s.core.v1.Secret.get(name, `${at.namespace}/${at.name}`, {
      parent: this,
      additionalSecretOutputs: ["data", "stringData"],
    });
    const [accessKey, secretKey] = KEYS.map((key) => pulumi.secret(data.apply((all) => textOf(all, key, at))));
    return [accessKey, secretKey] as [pulumi.Output<string>, pulumi.Output<string>];
  }
}

/** @throws pulumi.RunError that says which keys there are */
export function textOf(
  data: Readonly<Record<string, string>> | undefined,
  key: string,
  { namespace, name }: SecretReference,
): string {
  const value = data?.[key];
  if (value) return Buffer.from(value, "base64").toString();
  const there = Object.keys(data ?? {}).join(", ") || "none";
  throw new pulumi.RunError(
    `objectStore.external: Secret ${namespace}/${name} has no key ${key}; its keys are: ${there}. It needs ${KEYS.join(" and ")}.`,
  );
}
