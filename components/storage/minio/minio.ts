import * as command from "@pulumi/command";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labelsOf, selectorOf } from "../../labels.ts";
import { ServingCertificate } from "../../tls/servingCertificate.ts";
import { type Bucket, type BucketAccess, MODELS, type ObjectStore, type StorePods } from "../objectStore.ts";
import { type ClusterAccess, checkout, storeEnvironment } from "../reach/environment.ts";
import { volumeClaim } from "../volumeClaim.ts";
import { MINIO_PORT, minioPod } from "./pod.ts";
import { type Grant, userOf } from "./policies.ts";

export interface MinioArgs {
  readonly namespace: string;
  /** DNS domain of the cluster, such as `cluster.local`. */
  readonly domain: string;
  readonly image: string;
  /** Size of the volume, such as `10Gi`. */
  readonly size: string;
  /** @default - the cluster's default class */
  readonly storageClass?: string;
  /** Keep the volume when the store goes, and refuse to destroy or replace the store. */
  readonly protect: boolean;
  /** Where buckets and users are made from this machine. */
  readonly cluster: ClusterAccess;
  /** Buckets, and users that may do one thing with one of them, besides those for models. @default - none */
  readonly grants?: readonly Grant[];
}

const REGION = "us-east-1";
const READER: Grant = { bucket: MODELS, right: "read" };
const WRITER: Grant = { bucket: MODELS, right: "write" };

/** A bucket of the store of this name, as one of its users sees it. @default - the models, as who reads them */
export function minioBucket(
  name: string,
  { namespace, domain }: Pick<MinioArgs, "namespace" | "domain">,
  bucket = READER.bucket,
  user = userOf(READER),
): Bucket & { readonly caBundle: string } {
  return {
    endpoint: `https://${name}.${namespace}.svc.${domain}:${MINIO_PORT}`,
    region: REGION,
    bucket,
    namespace,
    secretName: `${name}-${user}`,
    caBundle: `${name}-ca`,
  };
}

/** MinIO with one volume, over TLS, and for each use a user that may do only that. */
export class Minio extends pulumi.ComponentResource implements ObjectStore {
  readonly bucket: Bucket;
  readonly upload: BucketAccess;
  readonly identity: pulumi.Output<string>;
  readonly #accesses: ReadonlyMap<string, BucketAccess>;

  constructor(name: string, args: MinioArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:Minio", name, {}, opts);
    const { namespace, domain, protect } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("minio", name);
    const selector = selectorOf("minio", name);
    const metadata = { namespace, name, labels };
    const host = `${name}.${namespace}.svc.${domain}`;

    const certificate = new ServingCertificate(
      `${name}-tls`,
      { namespace, service: name, names: [host], labels },
      child,
    );
    const { caBundle } = minioBucket(name, args);
    new k8s.core.v1.ConfigMap(
      caBundle,
      { metadata: { ...metadata, name: caBundle }, data: { "ca.crt": certificate.ca } },
      child,
    );
    const reach = { ca: certificate.ca, pods: { namespace, selector, port: MINIO_PORT } };
    const user = (who: string, bucket: string) =>
      this.#user(who, minioBucket(name, args, bucket, who), { ...reach, labels }, child);
    const root = user("root", MODELS);
    const grants = [READER, WRITER, ...(args.grants ?? [])];
    const users = grants.map((grant) => ({ grant, access: user(userOf(grant), grant.bucket) }));

    // Headless: one pod, and the name works as soon as it is ready.
    const service = new k8s.core.v1.Service(
      name,
      { metadata, spec: { clusterIP: "None", selector, ports: [{ name: "s3", port: MINIO_PORT, targetPort: "s3" }] } },
      child,
    );
    const set = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata,
        spec: {
          serviceName: name,
          replicas: 1,
          selector: { matchLabels: selector },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: protect ? "Retain" : "Delete", whenScaled: "Retain" },
          template: {
            metadata: { labels },
            spec: minioPod({ ...args, rootSecret: root.bucket.secretName, tlsSecret: `${name}-tls` }),
          },
          volumeClaimTemplates: [volumeClaim(args, labels)],
        },
      },
      {
        parent: this,
        dependsOn: [root.secret, certificate, service],
        protect,
        customTimeouts: { create: "5m", update: "5m" },
      },
    );
    this.identity = set.metadata.uid;
    new command.local.Command(
      `${name}-users`,
      {
        create: "node components/storage/minio/main.ts",
        dir: checkout,
        // What is in the environment counts as well: a new password or a new grant is set up by the same command.
        triggers: [this.identity],
        environment: {
          ...storeEnvironment(root, args.cluster),
          USERS: pulumi.secret(
            pulumi.jsonStringify(users.map(({ grant, access }) => ({ ...grant, secretKey: access.secretKey }))),
          ),
        },
      },
      { parent: this, dependsOn: [set], customTimeouts: { create: "5m", update: "5m" } },
    );

    this.#accesses = new Map(users.map(({ grant, access }) => [userOf(grant), access]));
    this.bucket = this.access(READER).bucket;
    this.upload = this.access(WRITER);
    this.registerOutputs({ bucket: this.bucket });
  }

  /** What one of the grants gives. */
  access(grant: Grant): BucketAccess {
    const access = this.#accesses.get(userOf(grant));
    if (!access) throw new Error(`nobody was granted ${grant.right} of bucket ${grant.bucket}`);
    return access;
  }

  /** A user with a password of its own, in a Secret. */
  #user(
    user: string,
    bucket: Bucket,
    { labels, ...reach }: { ca: pulumi.Output<string>; pods: StorePods; labels: Record<string, string> },
    opts: pulumi.CustomResourceOptions,
  ): BucketAccess & { readonly secret: k8s.core.v1.Secret } {
    const { namespace, secretName: name } = bucket;
    const secretKey = new random.RandomPassword(name, { length: 40, special: false }, { parent: this }).result;
    const secret = new k8s.core.v1.Secret(
      name,
      {
        metadata: { namespace, name, labels },
        stringData: { AWS_ACCESS_KEY_ID: user, AWS_SECRET_ACCESS_KEY: secretKey },
      },
      opts,
    );
    return { bucket, accessKey: user, secretKey, ...reach, secret };
  }
}
