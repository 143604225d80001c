import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { Access, Pod } from "../../../benchmarks/client/kubernetes.ts";

/** What a fake API server says; read for each request, so that it may be changed while a test runs. */
export interface FakeCluster {
  pods: readonly Pod[] | (() => readonly Pod[]);
  /** Pods with the label `app=worker`. Default: none. */
  workers?: readonly Pod[] | (() => readonly Pod[]);
  /** Log by pod name. */
  logs?: Readonly<Record<string, string | (() => string)>>;
  /** Verbs on resources that the service account may not do, such as `list pods`. */
  forbidden?: readonly string[];
  /** Answers this many requests with 500 first. */
  faults?: number;
}

export interface FakeApi {
  readonly access: Access;
  /** Data of ConfigMap `results/result`, which exists from the start. */
  readonly data: Record<string, string>;
  readonly requests: string[];
  stop(): Promise<void>;
}

/** The part of the Kubernetes API that the client uses, with the real paths, statuses and messages. */
export async function fakeApi(cluster: FakeCluster, tls?: { key: string; cert: string }): Promise<FakeApi> {
  const data: Record<string, string> = {};
  const requests: string[] = [];
  const handler: http.RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url!, "http://api");
      requests.push(`${request.method} ${url.pathname}${url.search}`);
      const status = (code: number, message: string) => {
        response.writeHead(code, { "content-type": "application/json" });
        response.end(JSON.stringify({ kind: "Status", status: "Failure", code, message }));
      };
      const may = (verb: string) => {
        if (!cluster.forbidden?.includes(verb)) return true;
        const [action, resource] = verb.split(" ");
        status(403, `${resource} is forbidden: User "client" cannot ${action} resource "${resource}"`);
        return false;
      };
      if (request.headers.authorization !== "Bearer secret") return status(401, "Unauthorized");
      if (cluster.faults && cluster.faults-- > 0) return status(500, "etcdserver: request timed out");
      const log = /^\/api\/v1\/namespaces\/serving\/pods\/([^/]+)\/log$/.exec(url.pathname);
      const lists = { "app=server": cluster.pods, "app=worker": cluster.workers ?? [] };
      const list = lists[url.searchParams.get("labelSelector") as keyof typeof lists];
      if (url.pathname === "/api/v1/namespaces/serving/pods" && list) {
        if (!may("list pods")) return;
        const items = typeof list === "function" ? list() : list;
        response.end(JSON.stringify({ kind: "PodList", items }));
      } else if (log && url.searchParams.get("container") === "server") {
        if (may("get pods/log")) {
          const text = cluster.logs?.[log[1]!] ?? "";
          response.end(typeof text === "function" ? text() : text);
        }
      } else if (request.method === "PATCH" && url.pathname === "/api/v1/namespaces/results/configmaps/result") {
        if (!may("patch configmaps")) return;
        if (request.headers["content-type"] !== "application/merge-patch+json")
          return status(415, "unsupported media type");
        Object.assign(data, JSON.parse(Buffer.concat(chunks).toString()).data);
        response.end("{}");
      } else status(404, `${url.pathname} not found`);
    });
  };
  const server = tls ? https.createServer(tls, handler) : http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    access: { url: `${tls ? "https" : "http"}://127.0.0.1:${port}`, ca: tls?.cert, token: () => "secret" },
    data,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A Ready pod of plan `p1` at `ip`, with whatever is different about it. */
export function pod(name: string, ip: string, different: { [K in keyof Pod]?: Partial<Pod[K]> } = {}): Pod {
  return {
    metadata: { name, uid: `uid of ${name}`, labels: { "inference-stack/plan": "p1" }, ...different.metadata },
    spec: { nodeName: "node-0", containers: [{ name: "server" }], ...different.spec },
    status: {
      phase: "Running",
      podIP: ip,
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ imageID: "server@sha256:1", restartCount: 0 }],
      ...different.status,
    },
  };
}
