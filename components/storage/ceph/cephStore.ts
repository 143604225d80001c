import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labelsOf } from "../../labels.ts";
import { type Bucket, type BucketAccess, MODELS, type ObjectStore } from "../objectStore.ts";
import type { Ceph } from "./ceph.ts";
import { bucketClaim, READER, storeUser, WRITER } from "./resources.ts";
import { OBJECT_STORE, OBJECT_STORE_PORT } from "./values.ts";

export interface CephStoreArgs {
  /** Where the servers are. */
  readonly namespace: string;
  /** With an object store, and with the authority that vouches for it. */
  readonly ceph: Ceph;
  /** Refuse to destroy the bucket. */
  readonly protect: boolean;
}

const REGION = "us-east-1";
/** From the first user on Ceph makes the pools of its object store. */
const READY = { create: "30m", update: "10m", delete: "30m" };

/** The bucket as the servers see it. */
export function cephBucket(name: string, namespace: string, objectStoreHost: string): Bucket {
  const endpoint = `https://${objectStoreHost}:${OBJECT_STORE_PORT}`;
  return {
    endpoint,
    region: REGION,
    bucket: MODELS,
    namespace,
    secretName: `${name}-read`,
    caBundle: `${name}-ca`,
  };
}

/** The bucket of models in Ceph's object store: owned by the user that uploads, readable for the servers' user by a bucket policy. */
export class CephStore extends pulumi.ComponentResource implements ObjectStore {
  readonly bucket: Bucket;
  readonly upload: BucketAccess;
  readonly identity: pulumi.Output<string>;

  constructor(name: string, args: CephStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:CephStore", name, {}, opts);
    const { namespace, ceph, protect } = args;
    if (!ceph.ca) throw new Error("this Ceph has no object store");
    const child = { parent: this, dependsOn: [ceph] };
    const labels = labelsOf("object-store", name);

    const [reader, writer] = [READER, WRITER].map((user) => {
      const secretKey = new random.RandomPassword(user, { length: 40, special: false }, { parent: this }).result;
      const stringData = { AWS_ACCESS_KEY_ID: user, AWS_SECRET_ACCESS_KEY: secretKey };
      const keys = new k8s.core.v1.Secret(
        user,
        { metadata: { namespace: ceph.namespace, name: user, labels }, stringData },
        child,
      );
      const made = new k8s.apiextensions.CustomResource(user, storeUser(user, ceph.namespace, labels), {
        parent: this,
        dependsOn: [keys],
        customTimeouts: READY,
      });
      return { user, secretKey, stringData, made };
    });
    const claim = new k8s.apiextensions.CustomResource(MODELS, bucketClaim(MODELS, ceph.namespace, labels), {
      parent: this,
      dependsOn: [reader.made, writer.made],
      protect,
      customTimeouts: READY,
    });

    this.bucket = cephBucket(name, namespace, ceph.objectStoreHost);
    const { secretName, caBundle = "" } = this.bucket;
    const secret = new k8s.core.v1.Secret(
      secretName,
      { metadata: { namespace, name: secretName, labels }, stringData: reader.stringData },
      { parent: this, dependsOn: [claim] },
    );
    new k8s.core.v1.ConfigMap(
      caBundle,
      { metadata: { namespace, name: caBundle, labels }, data: { "ca.crt": ceph.ca } },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.identity = pulumi.all([claim.metadata.uid, secret.id]).apply(([uid]) => uid);
    this.upload = {
      bucket: this.bucket,
      accessKey: writer.user,
      secretKey: writer.secretKey,
      ca: ceph.ca,
      pods: {
        namespace: ceph.namespace,
        selector: { app: "rook-ceph-rgw", rook_object_store: OBJECT_STORE },
        port: OBJECT_STORE_PORT,
      },
    };
    this.registerOutputs({ bucket: this.bucket });
  }
}
