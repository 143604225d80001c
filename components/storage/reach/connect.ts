import { Agent } from "node:https";
import { S3Client } from "@aws-sdk/client-s3";
import { forwardPort } from "./portForward.ts";

/** A store as it is dialled from here. */
export interface Connection {
  /** Without the bucket. */
  readonly url: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** How its certificate is checked. */
  readonly tls: { readonly ca?: string; readonly servername?: string };
  close(): void;
}

/** Reaches the store that the environment names: through the API server where it names pods, else at its endpoint. */
export async function connectStore(environment: NodeJS.ProcessEnv = process.env): Promise<Connection> {
  const setting = (name: string) => {
    const value = environment[name];
    if (!value) throw new Error(`${name} is not set`);
    return value;
  };
  const endpoint = new URL(setting("S3_ENDPOINT"));
  const known = {
    region: setting("AWS_REGION"),
    bucket: setting("S3_BUCKET"),
    accessKeyId: setting("AWS_ACCESS_KEY_ID"),
    secretAccessKey: setting("AWS_SECRET_ACCESS_KEY"),
  };
  const { S3_CA: ca, POD_SELECTOR: selector, KUBECONFIG: kubeconfig } = environment;
  if (!selector) return { ...known, url: endpoint.origin, tls: { ca }, close() {} };
  const forwarded = await forwardPort({
    kubeconfig,
    context: setting("KUBE_CONTEXT"),
    namespace: setting("POD_NAMESPACE"),
    selector,
    port: Number(setting("POD_PORT")),
  });
  return {
    ...known,
    url: `${endpoint.protocol}//127.0.0.1:${forwarded.port}`,
    tls: { ca, servername: endpoint.hostname },
    close: forwarded.close,
  };
}

export function s3Client({ url, region, accessKeyId, secretAccessKey, tls }: Omit<Connection, "close">): S3Client {
  return new S3Client({
    endpoint: url,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 6,
    requestChecksumCalculation: "WHEN_REQUIRED", // the manifest's SHA-256 is the check, and not every store knows the newer ones
    requestHandler: { httpsAgent: new Agent({ ...tls, keepAlive: true, maxSockets: 8 }) },
  });
}
