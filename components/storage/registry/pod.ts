import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../../restricted.ts";
import type { Bucket } from "../objectStore.ts";

export const REGISTRY_PORT = 5000;

/** Where the images are: in the pod's volume `data`, or in a bucket. */
export type Contents = "volume" | { readonly bucket: Bucket };

/** Distribution's settings; they hold no secret. */
export function registryConfig(contents: Contents) {
  return {
    version: "0.1",
    log: { level: "info", formatter: "json", accesslog: { disabled: true } },
    storage: {
      ...(contents === "volume" ? { filesystem: { rootdirectory: "/var/lib/registry" } } : s3(contents.bucket)),
      delete: { enabled: true },
      cache: { blobdescriptor: "inmemory" },
      // What a push that was cut off has left is in nobody's way for long.
      maintenance: { uploadpurging: { enabled: true, age: "24h", interval: "6h", dryrun: false } },
    },
    http: {
      addr: `:${REGISTRY_PORT}`,
      tls: { certificate: "/tls/tls.crt", key: "/tls/tls.key", minimumtls: "tls1.2" },
    },
    auth: { htpasswd: { realm: "inference-stack", path: "/users/htpasswd" } },
    health: { storagedriver: { enabled: true, interval: "30s", threshold: 3 } },
  };
}

const s3 = ({ endpoint, region, bucket }: Bucket) => ({
  s3: {
    region,
    regionendpoint: endpoint,
    forcepathstyle: true,
    bucket,
    secure: endpoint.startsWith("https:"),
    rootdirectory: "/registry",
  },
  // A node could not follow to an address inside the cluster.
  redirect: { disable: true },
});

export interface RegistryPodArgs {
  readonly image: string;
  /** Of the registry: its ConfigMap has that name, its Secrets begin with it. */
  readonly name: string;
  readonly contents: Contents;
  readonly hasCollection: boolean;
}

const CONFIG = "/etc/distribution/config.yml";
/** While the registry is down nobody writes. It comes up again whether or not something was collected: of an empty one nothing can be. */
const COLLECT = `registry garbage-collect ${CONFIG} || echo "nothing was collected"`;

export function registryPod({ image, name, contents, hasCollection }: RegistryPodArgs): types.input.core.v1.PodSpec {
  const bucket = contents === "volume" ? undefined : contents.bucket;
  const from = (secretName: string, key: string) => ({ valueFrom: { secretKeyRef: { name: secretName, key } } });
  const probe = { httpGet: { path: "/", port: "https", scheme: "HTTPS" } };
  const shared = {
    image,
    env: [
      { name: "OTEL_TRACES_EXPORTER", value: "none" },
      { name: "REGISTRY_HTTP_SECRET", ...from(`${name}-users`, "httpSecret") },
      ...(bucket
        ? [
            { name: "REGISTRY_STORAGE_S3_ACCESSKEY", ...from(bucket.secretName, "AWS_ACCESS_KEY_ID") },
            { name: "REGISTRY_STORAGE_S3_SECRETKEY", ...from(bucket.secretName, "AWS_SECRET_ACCESS_KEY") },
          ]
        : []),
      ...(bucket?.caBundle ? [{ name: "SSL_CERT_FILE", value: "/ca/ca.crt" }] : []),
    ],
    resources: { requests: { cpu: "20m", memory: "32Mi" }, limits: { memory: "256Mi" } },
    securityContext: restrictedContainer,
    volumeMounts: [
      ...(bucket ? [] : [{ name: "data", mountPath: "/var/lib/registry" }]),
      ...(bucket?.caBundle ? [{ name: "ca", mountPath: "/ca", readOnly: true }] : []),
      { name: "config", mountPath: "/etc/distribution", readOnly: true },
      { name: "tls", mountPath: "/tls", readOnly: true },
      { name: "users", mountPath: "/users", readOnly: true },
    ],
  };
  return {
    ...restrictedPod,
    terminationGracePeriodSeconds: 10,
    ...(hasCollection ? { initContainers: [{ ...shared, name: "collect", command: ["sh", "-c", COLLECT] }] } : {}),
    containers: [
      {
        ...shared,
        name: "registry",
        args: ["serve", CONFIG],
        ports: [{ name: "https", containerPort: REGISTRY_PORT }],
        startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...probe, periodSeconds: 2 },
        livenessProbe: { ...probe, periodSeconds: 10 },
      },
    ],
    volumes: [
      { name: "config", configMap: { name } },
      { name: "tls", secret: { secretName: `${name}-tls`, defaultMode: 0o440 } },
      {
        name: "users",
        secret: { secretName: `${name}-users`, defaultMode: 0o440, items: [{ key: "htpasswd", path: "htpasswd" }] },
      },
      ...(bucket?.caBundle ? [{ name: "ca", configMap: { name: bucket.caBundle } }] : []),
    ],
  };
}
