import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../../restricted.ts";

export const MINIO_PORT = 9000;

export interface MinioPodArgs {
  readonly image: string;
  /** Secret with the credentials of the one who may do everything. */
  readonly rootSecret: string;
  /** Secret with the certificate. */
  readonly tlsSecret: string;
}

/** The pod of MinIO; its data is in the volume `data`. */
export function minioPod({ image, rootSecret, tlsSecret }: MinioPodArgs): types.input.core.v1.PodSpec {
  const fromSecret = (key: string) => ({ secretKeyRef: { name: rootSecret, key } });
  const probe = (path: string) => ({ httpGet: { path: `/minio/health/${path}`, port: "s3", scheme: "HTTPS" } });
  return {
    ...restrictedPod,
    terminationGracePeriodSeconds: 10,
    containers: [
      {
        name: "minio",
        image,
        args: ["server", "/data", "--address", `:${MINIO_PORT}`, "--certs-dir", "/certs", "--quiet"],
        env: [
          { name: "MINIO_ROOT_USER", valueFrom: fromSecret("AWS_ACCESS_KEY_ID") },
          { name: "MINIO_ROOT_PASSWORD", valueFrom: fromSecret("AWS_SECRET_ACCESS_KEY") },
          { name: "MINIO_BROWSER", value: "off" },
          { name: "MINIO_UPDATE", value: "off" },
          { name: "GOMEMLIMIT", value: "400MiB" },
        ],
        ports: [{ name: "s3", containerPort: MINIO_PORT }],
        resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
        securityContext: restrictedContainer,
        startupProbe: { ...probe("live"), periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...probe("ready"), periodSeconds: 2 },
        livenessProbe: { ...probe("live"), periodSeconds: 10 },
        volumeMounts: [
          { name: "data", mountPath: "/data" },
          { name: "tls", mountPath: "/certs", readOnly: true },
        ],
      },
    ],
    volumes: [
      {
        name: "tls",
        secret: {
          secretName: tlsSecret,
          defaultMode: 0o440,
          // The names that MinIO looks for.
          items: [
            { key: "tls.crt", path: "public.crt" },
            { key: "tls.key", path: "private.key" },
          ],
        },
      },
    ],
  };
}
