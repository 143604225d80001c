import type * as pulumi from "@pulumi/pulumi";

/** A bucket, and who pods are to it. Every kind of store gives one. */
export interface Bucket {
  /** URL as seen from pods, without the bucket; buckets are in the path. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly namespace: string;
  /** Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. */
  readonly secretName: string;
  /** ConfigMap whose `ca.crt` vouches for the store's certificate. @default - an authority that everyone knows does */
  readonly caBundle?: string;
}

/** How a program on the machine that runs Pulumi uses a bucket. */
export interface BucketAccess {
  readonly bucket: Bucket;
  readonly accessKey: pulumi.Input<string>;
  readonly secretKey: pulumi.Input<string>;
  /** PEM of the authority that vouches for the store. @default - one that everyone knows */
  readonly ca?: pulumi.Input<string>;
  /** Pods that are dialled through the API server. @default - the endpoint is dialled from this machine */
  readonly pods?: StorePods;
}

export interface StorePods {
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly port: number;
}

/** What every kind of object store is to the rest of the stack. */
export interface ObjectStore extends pulumi.Resource {
  /** As the servers see the models: they can read them, and nothing else. */
  readonly bucket: Bucket;
  /** As the upload sees them: it can also write. */
  readonly upload: BucketAccess;
  /** Changes when the store is made anew, and empty. */
  readonly identity: pulumi.Input<string>;
}

/** The bucket of models. */
export const MODELS = "models";
