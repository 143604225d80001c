import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import type { Access } from "./kubeconfig.ts";
import type { KubeObject } from "./object.ts";

/** The API server's answer to a request it refuses: a Kubernetes `Status`. */
export class ApiError extends Error {
  /** The HTTP status code. */
  readonly code: number;
  /** For instance `NotFound`, `AlreadyExists`, `Invalid`, `Conflict`, `Forbidden`. */
  readonly reason: string;
  readonly details: { kind?: string; name?: string; causes?: { field?: string; message?: string }[] };
  constructor(code: number, reason: string, message: string, details: ApiError["details"] = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

/** Nobody answered at the address of the API server. */
export class Unreachable extends Error {}

/** The cluster does not serve this kind: usually a custom resource whose definition is missing. */
export class NoMatch extends Error {}

export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.code === 404;

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly query?: Record<string, string | undefined>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Receives what the API server warns about, such as unknown fields. */
  readonly onWarning?: (text: string) => void;
}

interface ResourceType {
  readonly plural: string;
  readonly namespaced: boolean;
}

const connectTimeout = 5_000;
/** Silence of a server that has taken a request. Watches may be silent for as long as nothing happens. */
const silenceTimeout = 60_000;

/** A small client for objects of any kind. Only this file knows about HTTP. */
export class Client {
  readonly #access: Access;
  readonly #credentials: Promise<https.RequestOptions>;
  readonly #agent: http.Agent;
  readonly #types = new Map<string, Promise<Map<string, ResourceType>>>();

  constructor(access: Access) {
    this.#access = access;
    this.#credentials = access.credentials();
    this.#credentials.catch(() => {}); // reported by the first request
    this.#agent = new (access.server.protocol === "http:" ? http : https).Agent({ keepAlive: true });
  }

  /** @throws Unreachable when there is no API server at the address or it does not let us in at all */
  async ping(): Promise<void> {
    await this.request("/version");
  }

  read(object: KubeObject, signal?: AbortSignal): Promise<KubeObject> {
    return this.#on(object, { signal });
  }

  create(object: KubeObject, call: Call): Promise<KubeObject> {
    return this.#on(object, { ...call, method: "POST", body: object }, "collection");
  }

  replace(object: KubeObject, call: Call): Promise<KubeObject> {
    return this.#on(object, { ...call, method: "PUT", body: object });
  }

  /** Server-side apply. JSON is YAML, which is what this content type asks for. */
  apply(object: KubeObject, call: Call): Promise<KubeObject> {
    return this.#on(object, { ...call, method: "PATCH", body: object, contentType: "application/apply-patch+yaml" });
  }

  patchJson(object: KubeObject, patch: readonly object[]): Promise<KubeObject> {
    return this.#on(object, { method: "PATCH", body: patch, contentType: "application/json-patch+json" });
  }

  delete(object: KubeObject, call: Call): Promise<KubeObject> {
    return this.#on(object, { ...call, method: "DELETE" });
  }

  /** Objects of a kind in the namespace of `like`. */
  async list(
    like: KubeObject,
    apiVersion: string,
    kind: string,
    query: Call["query"],
    signal?: AbortSignal,
  ): Promise<KubeObject[]> {
    const path = await this.path({ apiVersion, kind, metadata: { namespace: like.metadata?.namespace } }, "collection");
    const { items = [] } = await this.request<{ items?: KubeObject[] }>(path, { query, signal });
    return items.map((item) => ({ apiVersion, kind, ...item }));
  }

  /** Calls `onChange` whenever the object changes, until the signal. It may miss changes: callers look again from time to time. */
  async watch(object: KubeObject, onChange: () => void, signal: AbortSignal): Promise<void> {
    const path = await this.path(object, "collection");
    const query = { watch: "true", fieldSelector: `metadata.name=${object.metadata?.name}` };
    const response = await this.#open(path, { query, signal });
    for await (const line of createInterface({ input: response })) if (line) onChange();
  }

  async isNamespaced(apiVersion: string, kind: string): Promise<boolean> {
    return (await this.#type(apiVersion, kind)).namespaced;
  }

  /** @returns whether the cluster serves the kind */
  async serves(apiVersion: string, kind: string): Promise<boolean> {
    try {
      await this.#type(apiVersion, kind);
      return true;
    } catch (error) {
      if (error instanceof NoMatch) return false;
      throw error;
    }
  }

  async request<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.#open(path, call);
    try {
      return JSON.parse(await bodyOf(response)) as T;
    } catch (error) {
      throw call.signal?.aborted ? call.signal.reason : error;
    }
  }

  async #on(object: KubeObject, call: Call, where: "object" | "collection" = "object"): Promise<KubeObject> {
    return this.request(await this.path(object, where), call);
  }

  async path(object: KubeObject, where: "object" | "collection"): Promise<string> {
    const { apiVersion = "", kind = "", metadata = {} } = object;
    const { plural, namespaced } = await this.#type(apiVersion, kind);
    const scope = namespaced ? `/namespaces/${encodeURIComponent(metadata.namespace || "default")}` : "";
    return `${root(apiVersion)}${scope}/${plural}${where === "object" ? `/${encodeURIComponent(metadata.name ?? "")}` : ""}`;
  }

  async #type(apiVersion: string, kind: string): Promise<ResourceType> {
    let known = await this.#discover(apiVersion);
    if (!known.has(kind)) {
      this.#types.delete(apiVersion); // a definition may have been created since we asked
      known = await this.#discover(apiVersion);
    }
    const type = known.get(kind);
    if (!type) throw new NoMatch(`no matches for kind "${kind}" in version "${apiVersion}"`);
    return type;
  }

  #discover(apiVersion: string): Promise<Map<string, ResourceType>> {
    let types = this.#types.get(apiVersion);
    if (!types) {
      types = this.request<{ resources: { name: string; kind: string; namespaced: boolean }[] }>(root(apiVersion)).then(
        ({ resources }) =>
          new Map(
            resources
              .filter(({ name }) => !name.includes("/"))
              .map(({ name, kind, namespaced }) => [kind, { plural: name, namespaced }]),
          ),
        (error) => {
          this.#types.delete(apiVersion);
          if (isNotFound(error)) return new Map();
          throw error;
        },
      );
      this.#types.set(apiVersion, types);
    }
    return types;
  }

  async #open(path: string, call: Call): Promise<http.IncomingMessage> {
    const { server } = this.#access;
    const url = new URL(server.pathname.replace(/\/$/, "") + path, server);
    for (const [key, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) url.searchParams.set(key, value);
    const credentials = await this.#credentials;
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers = {
      accept: "application/json",
      ...(body !== undefined && {
        "content-type": call.contentType ?? "application/json",
        "content-length": Buffer.byteLength(body),
      }),
      ...(credentials.headers as http.OutgoingHttpHeaders),
    };
    const options = {
      ...credentials,
      headers,
      agent: this.#agent,
      method: call.method ?? "GET",
      signal: call.signal,
      timeout: call.query?.watch ? 0 : silenceTimeout,
    };
    const response = await this.#send(url, options, body, call.signal);
    for (const warning of [response.headers.warning ?? []].flat())
      call.onWarning?.(warning.replace(/^299 \S+ "(.*)"$/, "$1"));
    if (response.statusCode! < 400) return response;
    throw refusal(response.statusCode!, await bodyOf(response));
  }

  #send(
    url: URL,
    options: https.RequestOptions,
    body: string | undefined,
    signal?: AbortSignal,
  ): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = (url.protocol === "http:" ? http : https).request(url, options, resolve);
      const timer = setTimeout(() => request.destroy(new Error("nobody answers")), connectTimeout);
      request.once("socket", (socket) =>
        socket.connecting ? socket.once("connect", () => clearTimeout(timer)) : clearTimeout(timer),
      );
      request.once("timeout", () => request.destroy(new Error(`no answer within ${silenceTimeout / 1000} s`)));
      request.once("error", (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        // The server may have closed an idle connection just as we took it up again; it has then not read the request.
        if (error.code === "ECONNRESET" && request.reusedSocket) return resolve(this.#send(url, options, body, signal));
        const why = error.message || error.code || "no connection";
        reject(signal?.aborted ? signal.reason : new Unreachable(`${url.origin}: ${why}`));
      });
      request.end(body);
    });
  }
}

const root = (apiVersion: string): string => (apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`);

async function bodyOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function refusal(code: number, body: string): ApiError {
  try {
    const { reason, message, details } = JSON.parse(body);
    return new ApiError(code, reason ?? "", message || `the API server answered ${code}`, details);
  } catch {
    return new ApiError(code, "", body.trim() || `the API server answered ${code}`);
  }
}
