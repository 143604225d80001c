import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labelsOf, selectorOf } from "../labels.ts";
import { restrictedContainer, restrictedPod } from "../restricted.ts";

export interface ObjectStoreArgs {
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
}

/** A bucket and who may use it. Every kind of store gives one. */
export interface Bucket {
  /** URL as seen from pods, without the bucket; buckets are in the path. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Secret with the keys `accessKey` and `secretKey`. */
  readonly secretName: string;
  readonly namespace: string;
}

const PORT = 9000;

/** The bucket that a store of this name has. */
export function bucketOf(name: string, { namespace, domain }: Pick<ObjectStoreArgs, "namespace" | "domain">): Bucket {
  return {
    endpoint: `http://${name}.${namespace}.svc.${domain}:${PORT}`,
    region: "us-east-1",
    bucket: "models",
    secretName: `${name}-credentials`,
    namespace,
  };
}

/** MinIO with one volume. */
export class ObjectStore extends pulumi.ComponentResource {
  readonly bucket: Bucket;
  /** Selects its pod. */
  readonly selector: Readonly<Record<string, string>>;
  /** Changes when the store is made anew, and empty. */
  readonly identity: pulumi.Output<string>;
  readonly accessKey: pulumi.Output<string>;
  readonly secretKey: pulumi.Output<string>;

  constructor(name: string, args: ObjectStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:ObjectStore", name, {}, opts);
    const { namespace } = args;
    this.bucket = bucketOf(name, args);
    const { secretName } = this.bucket;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("minio", name);
    const metadata = { namespace, name, labels };
    this.selector = selectorOf("minio", name);

    const generate = (what: string, length: number) =>
      new random.RandomPassword(`${name}-${what}`, { length, special: false }, { parent: this }).result;
    this.accessKey = generate("access-key", 20);
    this.secretKey = generate("secret-key", 40);
    const secret = new k8s.core.v1.Secret(
      secretName,
      {
        metadata: { ...metadata, name: secretName },
        stringData: { accessKey: this.accessKey, secretKey: this.secretKey },
      },
      child,
    );
    // Headless: one pod, and the name works as soon as it is ready.
    const service = new k8s.core.v1.Service(
      name,
      {
        metadata,
        spec: { clusterIP: "None", selector: this.selector, ports: [{ name: "s3", port: PORT, targetPort: "s3" }] },
      },
      child,
    );
    const set = new k8s.apps.v1.StatefulSet(
      name,
      { metadata, spec: minio(args, { name, labels, secretName }) },
      {
        parent: this,
        dependsOn: [secret, service],
        protect: args.protect,
        customTimeouts: { create: "5m", update: "5m" },
      },
    );

    this.identity = set.metadata.uid;
    this.registerOutputs({ bucket: this.bucket });
  }
}

function minio(
  { image, size, storageClass, protect }: ObjectStoreArgs,
  { name, labels, secretName }: { name: string; labels: Record<string, string>; secretName: string },
): k8s.types.input.apps.v1.StatefulSetSpec {
  const fromSecret = (key: string) => ({ secretKeyRef: { name: secretName, key } });
  const probe = (path: string) => ({ httpGet: { path: `/minio/health/${path}`, port: "s3" } });
  return {
    serviceName: name,
    replicas: 1,
    selector: { matchLabels: selectorOf("minio", name) },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: protect ? "Retain" : "Delete", whenScaled: "Retain" },
    template: {
      metadata: { labels },
      spec: {
        ...restrictedPod,
        terminationGracePeriodSeconds: 10,
        containers: [
          {
            name: "minio",
            image,
            args: ["server", "/data", "--address", `:${PORT}`, "--quiet"],
            env: [
              { name: "MINIO_ROOT_USER", valueFrom: fromSecret("accessKey") },
              { name: "MINIO_ROOT_PASSWORD", valueFrom: fromSecret("secretKey") },
              { name: "MINIO_BROWSER", value: "off" },
              { name: "MINIO_UPDATE", value: "off" },
              { name: "GOMEMLIMIT", value: "400MiB" },
            ],
            ports: [{ name: "s3", containerPort: PORT }],
            resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
            securityContext: restrictedContainer,
            startupProbe: { ...probe("live"), periodSeconds: 1, failureThreshold: 60 },
            readinessProbe: { ...probe("ready"), periodSeconds: 2 },
            livenessProbe: { ...probe("live"), periodSeconds: 10 },
            volumeMounts: [{ name: "data", mountPath: "/data" }],
          },
        ],
      },
    },
    volumeClaimTemplates: [
      {
        metadata: { name: "data", labels },
        spec: {
          accessModes: ["ReadWriteOnce"],
          ...(storageClass ? { storageClassName: storageClass } : {}),
          resources: { requests: { storage: size } },
        },
      },
    ],
  };
}
