import { existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../error.ts";
import { run } from "../exec.ts";
import { withLock } from "../lock.ts";
import { state, stateDir } from "../paths.ts";
import { addons } from "./addons.ts";
import { createCgroups, removeCgroups } from "./cgroups.ts";
import { apiOf } from "./controlPlane.ts";
import { startInside } from "./namespaces.ts";
import {
  claimSlot,
  connect,
  disconnect,
  linkOf,
  type Network,
  networkOf,
  releaseSlot,
  sealBlock,
  unsealBlock,
} from "./network.ts";
import { writePki } from "./pki.ts";
import { end, forget, initOf, remember, running } from "./process.ts";
import { socketOf } from "./services.ts";
import type { ClusterSpec, Node, NodeShape } from "./spec.ts";

export const CONTEXT = "inference-stack";

export interface ClusterImages {
  readonly pause: Image;
  readonly coredns: Image;
}

/** An image as the toolchain leaves it: its reference and a docker-archive to load it from. */
export interface Image {
  readonly ref: string;
  readonly archive: string;
}

const lock = join(stateDir, "cluster.lock");
const specFile = join(state.cluster, "cluster.json");

/** Calls with one short line for each thing done. */
export type Tell = (line: string) => void;

/** One node with all the machine has. */
const ALL: readonly NodeShape[] = [{ cpus: null, sharedCpus: null }];

/**
 * Brings the cluster up, or finds it up as it is to be, and returns when its nodes are Ready, it has cluster DNS and a storage
 * class. One that runs with other nodes is stopped first.
 *
 * @param bin folder of etcd and the Kubernetes binaries
 */
export function startCluster(
  bin: string,
  images: ClusterImages,
  tell: Tell,
  nodes: readonly NodeShape[] = ALL,
): Promise<void> {
  return withLock(
    lock,
    async () => {
      const spec = specOf(bin, images, await claimSlot(), nodes);
      if (running() !== undefined && (await apiAnswers())) {
        if (JSON.stringify(readSpec()) === JSON.stringify(spec)) return;
        tell("the cluster is to be another than the one that runs: stopping that");
        await end();
      }
      await cleanUp();
      await boot(spec, images, tell);
    },
    () => tell("waiting for another command that starts or stops this cluster"),
  );
}

function specOf(bin: string, images: ClusterImages, network: Network, shapes: readonly NodeShape[]): ClusterSpec {
  const nodes = shapes.map((shape, index): Node => {
    const name = nodeName(index);
    return { name, folder: join(state.cluster, name), link: linkOf(network, index), ...shape };
  });
  return { folder: state.cluster, bin, network, pause: images.pause.ref, nodes };
}

/** Nodes are numbered from 1. */
export const nodeName = (index: number) => `node${index + 1}`;

/** The cluster as it was last started; undefined if it never was. */
export function readSpec(): ClusterSpec | undefined {
  return existsSync(specFile) ? (JSON.parse(readFileSync(specFile, "utf8")) as ClusterSpec) : undefined;
}

async function boot(spec: ClusterSpec, images: ClusterImages, tell: Tell): Promise<void> {
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  const { folder, network, nodes } = spec;
  const names = nodes.map(({ name }) => name);
  for (const path of ["log", "volumes"]) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(specFile, JSON.stringify(spec, null, 1));
  await sealBlock(network);
  await writePki(join(folder, "pki"), spec);
  rmSync(state.kubeconfig, { force: true });
  symlinkSync(join("pki", "admin.kubeconfig"), state.kubeconfig);
  createCgroups(nodes);
  await connect(network, nodes[0].link, await launch(nodes[0]));
  await until("the API server", apiAnswers);
  tell(`API server ready after ${seconds()} at ${apiOf(nodes[0].link.address)}`);
  await forgetOtherNodes(names);
  // The first node's containerd is older than the API; the others start beside it.
  for (const name of names) await until(`containerd of ${name}`, () => ctr(name, ["version"]).then(() => true));
  await loadImages([images.pause, images.coredns], tell);
  for (const object of addons(network, images.coredns.ref))
    await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(object));
  await until(names.join(", "), () => nodesReady(names, started));
  await until("cluster DNS", () => podsReady(started, ["-n", "kube-system", "-l", "k8s-app=kube-dns"]));
  tell(`${names.join(", ")} and cluster DNS ready after ${seconds()}`);
  // Pods of before come up again by themselves; what follows should not meet them half-way. One that cannot is not ours.
  await until("the pods", () => podsReady(started, ["-A"]), 60).catch(() => {});
}

/** Starts the first node, and with it all, and returns the pid of its init. */
async function launch({ name }: Node): Promise<number> {
  const log = openSync(join(state.cluster, "log", "node.log"), "a");
  const program = [process.execPath, join(import.meta.dirname, "node.ts"), specFile, name];
  const inside = await startInside(program, log);
  if (!inside) throw notUp("the node's process");
  inside.outer.unref();
  remember(inside.outer.pid!);
  return inside.init;
}

/** Nodes of an earlier start that are no more: their pods would wait for them. */
async function forgetOtherNodes(names: readonly string[]): Promise<void> {
  const known = (await kubectl(["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"]))
    .split(" ")
    .filter(Boolean);
  for (const gone of known.filter((name) => !names.includes(name))) {
    await kubectl(["delete", "node", gone]);
    const onIt = ["--all-namespaces", `--field-selector=spec.nodeName=${gone}`];
    await kubectl(["delete", "pods", ...onIt, "--force", "--grace-period=0"]);
  }
}

async function until(what: string, ready: () => Promise<boolean>, seconds = 120): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await ready().catch(() => false))) {
    if (running() === undefined || Date.now() > deadline) throw notUp(what);
    await sleep(200);
  }
}

function notUp(what: string): UserError {
  const log = join(state.cluster, "log", "node.log");
  const tail = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-5) : [];
  return new UserError(
    `the cluster did not come up: ${what} was not ready in time`,
    ...tail.map((line) => `  ${line}`),
    `logs: ${join(state.cluster, "log")}; \`npm run doctor\` says what is wrong`,
  );
}

/**
 * Loads what the nodes do not have yet. References carry a content key, so a name that is there is the same image.
 */
export async function loadImages(images: readonly Image[], tell: Tell): Promise<void> {
  for (const { name } of readSpec()?.nodes ?? []) {
    const present = (await ctr(name, ["images", "ls", "-q"])).split("\n");
    for (const { ref, archive } of images) {
      if (present.includes(ref)) continue;
      await ctr(name, ["images", "import", archive]);
      tell(`loaded image ${ref} into ${name}`);
    }
  }
}

function ctr(node: string, args: string[]): Promise<string> {
  const pid = running();
  const init = pid && initOf(pid);
  if (!init) throw new UserError("the cluster is not running; start it with `npm start`");
  return run("nsenter", ["-t", String(init), "-m", "ctr", "-a", socketOf(node), "-n", "k8s.io", ...args]);
}

/** kubectl as administrator of this instance's cluster. */
export function kubectl(args: string[], input?: string): Promise<string> {
  const spec = readSpec();
  if (!spec) throw new UserError("there is no cluster; start it with `npm start`");
  return run(join(spec.bin, "kubectl"), [`--kubeconfig=${state.kubeconfig}`, ...args], { input });
}

export async function apiAnswers(): Promise<boolean> {
  return kubectl(["get", "--raw", "/readyz", "--request-timeout=2s"]).then(
    () => true,
    () => false,
  );
}

interface NodeStatus {
  metadata: { name: string };
  status: { conditions: { type: string; status: string; lastHeartbeatTime: string }[] };
}

/** Names of the nodes that are Ready. @param since What was said before does not count; epoch milliseconds. */
export async function readyNodes(since = 0): Promise<string[]> {
  const { items } = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])) as { items: NodeStatus[] };
  const isReady = ({ status }: NodeStatus) =>
    status.conditions.some((c) => c.type === "Ready" && c.status === "True" && isSince(c.lastHeartbeatTime, since));
  return items.filter(isReady).map(({ metadata }) => metadata.name);
}

async function nodesReady(names: readonly string[], since: number): Promise<boolean> {
  const ready = await readyNodes(since);
  return names.every((name) => ready.includes(name));
}

interface Pod {
  status: {
    phase: string;
    containerStatuses?: { ready: boolean; state: { running?: { startedAt: string } } }[];
  };
}

/** Whether the selected pods that are not done are Ready with containers of this boot, and there is at least one. */
async function podsReady(since: number, selection: string[]): Promise<boolean> {
  const { items } = JSON.parse(await kubectl(["get", "pods", ...selection, "-o", "json"])) as { items: Pod[] };
  const alive = items.filter(({ status }) => status.phase !== "Succeeded" && status.phase !== "Failed");
  const isReady = ({ status }: Pod) =>
    status.containerStatuses?.every(({ ready, state }) => ready && isSince(state.running?.startedAt ?? "", since)) ??
    false;
  return alive.length > 0 && alive.every(isReady);
}

/** Kubernetes times have whole seconds. */
const isSince = (time: string, since: number) => Date.parse(time) >= Math.floor(since / 1000) * 1000;

/** Ends the cluster. Its data stays, and the next start goes on with it. */
export function stopCluster(): Promise<void> {
  return withLock(lock, async () => {
    await end();
    await cleanUp();
  });
}

/** Ends the cluster and removes all it had: data, addresses, cgroups. */
export function purgeCluster(): Promise<void> {
  return withLock(lock, async () => {
    await end();
    await cleanUp();
    const spec = readSpec();
    if (spec) await unsealBlock(networkOf(spec.network.slot));
    rmSync(state.cluster, { recursive: true, force: true });
    releaseSlot();
  });
}

/** Puts away what a killed cluster leaves: mounts, links and namespaces went with it, cgroup folders did not. */
async function cleanUp(): Promise<void> {
  await end(0);
  const spec = readSpec();
  if (spec) await disconnect(networkOf(spec.network.slot));
  forget();
  for (let tries = 0; ; tries++) {
    try {
      return removeCgroups();
    } catch (error) {
      if (tries === 50) throw error; // the kernel needs a moment to let go of the last process
      await sleep(100);
    }
  }
}
