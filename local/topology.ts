import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, KubeConfig, type V1Node, type V1Pod } from "@kubernetes/client-node";
import { dump } from "js-yaml";
import { publicImages } from "../components/images.ts";
import { restrictedContainer, restrictedPod } from "../components/restricted.ts";
import { type NodeTopology, SYSFS, SYSFS_FILES, type Sysfs, topologyOf } from "../components/serving/topology.ts";
import { UserError } from "../error.ts";

export interface TopologyOptions {
  /** The kubeconfig's own current context is never used. */
  readonly context: string;
  /** Default: `$KUBECONFIG` or `~/.kube/config`. */
  readonly kubeconfig?: string;
  /** Where its pods run. Default: default. */
  readonly namespace: string;
  /** Label selector of the nodes that are to serve. Default: all. */
  readonly selector?: string;
  /** Image with a shell. Default: the load client's. */
  readonly image?: string;
}

const HOSTNAME = "kubernetes.io/hostname";
const READY_SECONDS = 300;

/**
 * Reads the CPUs of a cluster's nodes, by one short pod on each, and returns them as the `topology` of a stack's file.
 *
 * @throws UserError if there are no such nodes, or one does not tell in time
 */
export async function topologyYaml(options: TopologyOptions): Promise<string> {
  const api = connect(options);
  const nodes = (await api.listNode({ labelSelector: options.selector })).items.filter(
    ({ spec }) => !spec?.unschedulable,
  );
  if (nodes.length === 0)
    throw new UserError(
      `no node of context ${options.context} ${options.selector ? `has the labels ${options.selector}` : "takes pods"}`,
    );
  const read = await Promise.all(nodes.map((node) => topologyOfNode(api, node, options)));
  const topology = read.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return dump({ "inference-stack:topology": topology }, { flowLevel: 3, lineWidth: -1 });
}

function connect({ kubeconfig, context }: TopologyOptions): CoreV1Api {
  const config = new KubeConfig();
  if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromDefault();
  const known = config.getContexts().map(({ name }) => name);
  if (!known.includes(context))
    throw new UserError(
      `--context ${context}: there is no such context; contexts there: ${known.join(", ") || "none"}`,
    );
  config.setCurrentContext(context);
  return config.makeApiClient(CoreV1Api);
}

async function topologyOfNode(api: CoreV1Api, node: V1Node, options: TopologyOptions): Promise<NodeTopology> {
  const { namespace } = options;
  const label = node.metadata?.labels?.[HOSTNAME] ?? node.metadata!.name!;
  const body = pod(node.metadata!.name!, options.image ?? publicImages.node);
  const name = body.metadata!.name!;
  await api.createNamespacedPod({ namespace, body });
  try {
    await ended(api, namespace, name, label);
    return topologyOf(label, parseSysfs(await api.readNamespacedPodLog({ namespace, name })));
  } finally {
    await api.deleteNamespacedPod({ namespace, name, gracePeriodSeconds: 0 }).catch(() => {});
  }
}

/** Shell script that prints every file as `path:text`. That a kernel has none of some kind is no error. */
export const printSysfs = (root: string) =>
  `cd ${root} && for f in ${SYSFS_FILES.join(" ")}; do [ ! -r "$f" ] || echo "$f:$(cat "$f")"; done`;

/** What that script printed. */
export function parseSysfs(printed: string): Sysfs {
  const lines = printed.trim().split("\n");
  return new Map(lines.map((line) => line.split(/:(.*)/s).slice(0, 2) as [string, string]));
}

function pod(node: string, image: string): V1Pod {
  return {
    metadata: { name: `topology-${randomBytes(4).toString("hex")}` },
    spec: {
      ...restrictedPod,
      nodeName: node, // whatever its taints and however full it is
      restartPolicy: "Never",
      activeDeadlineSeconds: READY_SECONDS,
      containers: [
        {
          name: "sysfs",
          image,
          command: ["sh", "-c", printSysfs(SYSFS)],
          securityContext: restrictedContainer,
          resources: { limits: { memory: "64Mi" } },
        },
      ],
    },
  } as V1Pod;
}

async function ended(api: CoreV1Api, namespace: string, name: string, node: string): Promise<void> {
  const deadline = Date.now() + READY_SECONDS * 1000;
  for (;;) {
    const { status } = await api.readNamespacedPod({ namespace, name });
    if (status?.phase === "Succeeded") return;
    const waiting = status?.containerStatuses?.[0]?.state?.waiting;
    const why = [status?.reason, status?.message, waiting?.reason, waiting?.message].filter(Boolean).join(": ");
    if (status?.phase === "Failed")
      throw new UserError(`node ${node} did not tell its CPUs: ${why || "the pod failed"}`);
    if (Date.now() > deadline)
      throw new UserError(`node ${node} did not tell its CPUs within ${READY_SECONDS} s: ${why || status?.phase}`);
    await sleep(500);
  }
}
