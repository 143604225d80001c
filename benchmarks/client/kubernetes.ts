import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { UserError } from "../../error.ts";

/** What this client uses of a pod. */
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly containers: readonly {
      readonly name: string;
      readonly resources?: { readonly limits?: { readonly cpu?: string } };
    }[];
  };
  readonly status: {
    readonly phase?: string;
    readonly reason?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly imageID: string;
      readonly restartCount: number;
      readonly state?: {
        readonly waiting?: { readonly reason?: string };
        readonly terminated?: { readonly reason?: string; readonly exitCode: number };
      };
    }[];
  };
}

/** Where the API server is and how to speak to it. */
export interface Access {
  /** `https://host:port` */
  readonly url: string;
  /** PEM of the certificate authority. */
  readonly ca?: string | Buffer;
  /** Read anew for each request, because the kubelet replaces it. */
  readonly token: () => string;
}

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
const requestTimeoutMs = 15_000;
const attempts = 4;

/** The access that Kubernetes gives every pod with a service account. */
export function podAccess(env: NodeJS.ProcessEnv = process.env, folder = accountFolder): Access {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port) throw new UserError("This is not a pod: KUBERNETES_SERVICE_HOST and _PORT are not set.");
  try {
    return {
      url: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
      ca: readFileSync(`${folder}/ca.crt`),
      token: () => readFileSync(`${folder}/token`, "utf8").trim(),
    };
  } catch (error) {
    throw new UserError(`The pod has no service account token: ${(error as Error).message}.`);
  }
}

/** The few calls to the API server that the client needs, without a client library: it must fit into a ConfigMap. */
export class Kubernetes {
  readonly #access: Access;
  readonly #pauseMs: number;

  /** @param pauseMs before the first new attempt after a fault that may pass; doubled for each further one */
  constructor(access: Access, pauseMs = 500) {
    this.#access = access;
    this.#pauseMs = pauseMs;
  }

  async listPods(namespace: string, selector: string): Promise<Pod[]> {
    const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
    const text = await this.#call("GET", path, `list the pods of namespace ${namespace}`);
    return JSON.parse(text).items;
  }

  /** The beginning of a container's log, or of what it wrote in the last seconds. */
  podLog(namespace: string, pod: string, container: string, lastSeconds?: number): Promise<string> {
    const since = lastSeconds === undefined ? "" : `&sinceSeconds=${lastSeconds}`;
    const query = `container=${encodeURIComponent(container)}&limitBytes=65536${since}`;
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`;
    return this.#call("GET", path, `read the log of pod ${pod} in namespace ${namespace}`);
  }

  /** All of a container's log; `previous`: of the life before, if there was one. */
  wholeLog(namespace: string, pod: string, container: string, previous = false): Promise<string> {
    const query = `container=${encodeURIComponent(container)}&previous=${previous}`;
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`;
    return this.#call("GET", path, `read the log of pod ${pod} in namespace ${namespace}`);
  }

  /** Any object. @param purpose what an error says could not be done */
  async get<T>(path: string, purpose: string): Promise<T> {
    return JSON.parse(await this.#call("GET", path, purpose));
  }

  /** Sets one key of a ConfigMap that exists. */
  async patchConfigMap(namespace: string, name: string, key: string, value: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
    const body = JSON.stringify({ data: { [key]: value } });
    await this.#call("PATCH", path, `write ConfigMap ${name} in namespace ${namespace}`, body);
  }

  /** Tries again when the API server cannot be reached or says that it is its own fault or that it is busy. */
  async #call(method: string, path: string, purpose: string, body?: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const { status, text } = await this.#request(method, path, body).catch((error: Error) => ({
        status: 0,
        text: error.message,
      }));
      if (status >= 200 && status < 300) return text;
      const mayPass = status === 0 || status === 429 || status >= 500;
      if (!mayPass || attempt === attempts) throw new UserError(failure(purpose, status, text));
      await new Promise((resolve) => setTimeout(resolve, this.#pauseMs * 2 ** (attempt - 1)));
    }
  }

  #request(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
    const { url, ca, token } = this.#access;
    const { request } = url.startsWith("http://") ? http : https;
    return new Promise((resolve, reject) => {
      const call = request(url + path, {
        method,
        ca,
        timeout: requestTimeoutMs,
        headers: {
          authorization: `Bearer ${token()}`,
          accept: "application/json, */*",
          ...(body && { "content-type": "application/merge-patch+json", "content-length": Buffer.byteLength(body) }),
        },
      });
      call.on("timeout", () => call.destroy(new Error(`no answer within ${requestTimeoutMs / 1000} s`)));
      call.on("error", reject);
      call.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }));
      });
      call.end(body);
    });
  }
}

function failure(purpose: string, status: number, text: string): string {
  if (status === 0) return `Could not ${purpose}: the API server cannot be reached: ${text}.`;
  let message = text.slice(0, 300);
  try {
    message = JSON.parse(text).message ?? message;
  } catch {} // not a Status object: shown as it is
  const hint = status === 403 ? " Its Role must allow it." : "";
  return `The client's service account could not ${purpose}: ${message || `HTTP ${status}`}.${hint}`;
}
