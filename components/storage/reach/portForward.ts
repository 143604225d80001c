import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, KubeConfig, PortForward } from "@kubernetes/client-node";

export interface Forwarded {
  /** Port on 127.0.0.1, for as long as this is open. */
  readonly port: number;
  /** The last lines that the pod logged. */
  log(): Promise<string>;
  close(): void;
}

/**
 * Makes a pod's port reachable on a port of this machine's loopback, through the API server: a kubeconfig is all it needs.
 *
 * @param selector label selector of the pod; one that is Ready is waited for
 * @throws Error if there is none after `waitSeconds`
 */
export async function forwardPort(
  where: { kubeconfig?: string; context: string; namespace: string; selector: string; port: number },
  waitSeconds = 60,
): Promise<Forwarded> {
  const config = new KubeConfig();
  if (where.kubeconfig) config.loadFromFile(where.kubeconfig);
  else config.loadFromDefault();
  if (!config.getContexts().some(({ name }) => name === where.context))
    throw new Error(
      `there is no context ${JSON.stringify(where.context)} in the kubeconfig; it has ${
        config
          .getContexts()
          .map((c) => c.name)
          .join(", ") || "none"
      }`,
    );
  config.setCurrentContext(where.context);
  const api = config.makeApiClient(CoreV1Api);
  const pod = await readyPod(api, where.namespace, where.selector, waitSeconds);
  const forward = new PortForward(config);
  const open = new Set<Socket>();
  const tunnels = new Set<{ terminate?: () => void }>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    forward.portForward(where.namespace, pod, [where.port], socket, null, socket).then(
      (tunnel) => {
        if (!("on" in tunnel)) return;
        tunnels.add(tunnel);
        tunnel.on("close", () => socket.destroy());
      },
      () => socket.destroy(), // the S3 client sees a reset connection and tries again
    );
  });
  const port = await listen(server);
  return {
    port,
    log: () => api.readNamespacedPodLog({ name: pod, namespace: where.namespace, tailLines: 30 }),
    close() {
      server.close();
      for (const socket of open) socket.destroy();
      // Closed politely, a tunnel would keep this process for another 30 s: the API server does not answer the farewell.
      for (const tunnel of tunnels) tunnel.terminate?.();
    },
  };
}

async function readyPod(api: CoreV1Api, namespace: string, labelSelector: string, seconds: number): Promise<string> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const { items } = await api.listNamespacedPod({ namespace, labelSelector });
    const ready = items.find(
      ({ metadata, status }) =>
        !metadata?.deletionTimestamp && status?.conditions?.some((c) => c.type === "Ready" && c.status === "True"),
    );
    if (ready) return ready.metadata!.name!;
    if (performance.now() > deadline)
      throw new Error(`no pod of ${labelSelector} in namespace ${namespace} became ready within ${seconds} s`);
    await sleep(500);
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
