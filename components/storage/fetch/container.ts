import type { types } from "@pulumi/kubernetes";
import { restrictedContainer } from "../../restricted.ts";
import type { Bucket } from "../objectStore.ts";

/** Everything a pod needs to fetch a model's files from the bucket. */
export interface FetchArgs {
  /** Image with Node.js. */
  readonly image: string;
  /** ConfigMap that holds the fetch program. */
  readonly program: string;
  readonly bucket: Bucket;
  /** Folder of the model's version in the bucket, such as `lite0/1a2b3c`. */
  readonly prefix: string;
  /** Secret with which the pod's images are pulled. @default - anybody may */
  readonly pullSecret?: string;
}

const PROGRAM_VOLUME = "fetch-program";
const CA_VOLUME = "fetch-ca";

/** Init container that fills the volume `into` with the files under `subPath` of the model's folder. */
export function fetchContainer(args: FetchArgs & { subPath: string }, into: string): types.input.core.v1.Container {
  const { image, bucket, prefix, subPath } = args;
  const key = (name: string) => ({ valueFrom: { secretKeyRef: { name: bucket.secretName, key: name } } });
  return {
    name: "fetch",
    image,
    command: ["node", "/program/fetch.mjs"],
    env: [
      { name: "S3_ENDPOINT", value: bucket.endpoint },
      { name: "AWS_REGION", value: bucket.region },
      { name: "S3_BUCKET", value: bucket.bucket },
      { name: "PREFIX", value: prefix },
      { name: "SUB_PATH", value: subPath },
      { name: "TARGET", value: "/target" },
      ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map((name) => ({ name, ...key(name) })),
      ...(bucket.caBundle ? [{ name: "NODE_EXTRA_CA_CERTS", value: "/ca/ca.crt" }] : []),
    ],
    resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "256Mi" } },
    securityContext: restrictedContainer,
    volumeMounts: [
      { name: into, mountPath: "/target" },
      { name: PROGRAM_VOLUME, mountPath: "/program", readOnly: true },
      ...(bucket.caBundle ? [{ name: CA_VOLUME, mountPath: "/ca", readOnly: true }] : []),
    ],
  };
}

/** What that container asks of its pod besides volumes. */
export const fetchPod = ({ pullSecret }: Pick<FetchArgs, "pullSecret">): Partial<types.input.core.v1.PodSpec> =>
  pullSecret === undefined ? {} : { imagePullSecrets: [{ name: pullSecret }] };

/** The volumes that container takes the program and the store's authority from. */
export function fetchVolumes({ program, bucket }: Pick<FetchArgs, "program" | "bucket">): types.input.core.v1.Volume[] {
  return [
    { name: PROGRAM_VOLUME, configMap: { name: program } },
    ...(bucket.caBundle ? [{ name: CA_VOLUME, configMap: { name: bucket.caBundle } }] : []),
  ];
}
