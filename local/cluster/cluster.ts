import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../error.ts";
import { run } from "../exec.ts";
import { withLock } from "../lock.ts";
import { state, stateDir } from "../paths.ts";
import { addons } from "./addons.ts";
import { createCgroups, removeCgroups } from "./cgroups.ts";
import { claimSlot, connect, networkOf, releaseSlot, sealBlock, unsealBlock } from "./network.ts";
import { writePki } from "./pki.ts";
import { end, forget, initOf, remember, running } from "./process.ts";
import { type NodeSpec, SOCKET } from "./services.ts";

export const NODE = "node1";
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
const specFile = join(state.cluster, "node.json");

/** Calls with one short line for each thing done. */
export type Tell = (line: string) => void;

/**
 * Brings the node up, or finds it up, and returns when it is Ready, has cluster DNS and a storage class.
 *
 * @param bin folder of etcd and the Kubernetes binaries
 */
export function startCluster(bin: string, images: ClusterImages, tell: Tell): Promise<void> {
  return withLock(
    lock,
    async () => {
      if (running() !== undefined && (await apiAnswers())) return;
      await cleanUp();
      await boot(bin, images, tell);
    },
    () => tell("waiting for another command that starts or stops this cluster"),
  );
}

async function boot(bin: string, images: ClusterImages, tell: Tell): Promise<void> {
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  const network = await claimSlot();
  const spec: NodeSpec = { node: NODE, folder: state.cluster, bin, network, pause: images.pause.ref };
  for (const folder of ["log", "volumes"]) mkdirSync(join(state.cluster, folder), { recursive: true });
  writeFileSync(specFile, JSON.stringify(spec, null, 1));
  await sealBlock(network);
  await writePki(join(state.cluster, "pki"), network, NODE);
  rmSync(state.kubeconfig, { force: true });
  symlinkSync(join("pki", "admin.kubeconfig"), state.kubeconfig);
  createCgroups();
  await connect(network, await launch());
  await until("the API server", apiAnswers);
  tell(`API server ready after ${seconds()} at https://${network.nodeAddress}:6443`);
  await loadImages([images.pause, images.coredns], tell);
  for (const object of addons(network, images.coredns.ref))
    await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(object));
  await until("the node", () => nodeReady(started));
  await until("cluster DNS", () => podsReady(started, ["-n", "kube-system", "-l", "k8s-app=kube-dns"]));
  tell(`node ${NODE} and cluster DNS ready after ${seconds()}`);
  // Pods of before come up again by themselves; what follows should not meet them half-way. One that cannot is not ours.
  await until("the pods", () => podsReady(started, ["-A"]), 60).catch(() => {});
}

/** Starts the node's process in namespaces of its own and returns the pid of its init. */
async function launch(): Promise<number> {
  const log = openSync(join(state.cluster, "log", "node.log"), "a");
  const namespaces = ["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"];
  const program = ["catatonit", "--", process.execPath, join(import.meta.dirname, "node.ts"), specFile];
  const child = spawn("unshare", [...namespaces, ...program], { detached: true, stdio: ["ignore", log, log] });
  child.unref();
  await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
  remember(child.pid!);
  for (let tries = 0; tries < 100; tries++) {
    const init = initOf(child.pid!);
    // Until it has unshared, the child still is in our network.
    if (init !== undefined) return init;
    await sleep(20);
  }
  throw notUp("the node's process");
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

/** Loads what the node does not have yet. References carry a content key, so a name that is there is the same image. */
export async function loadImages(images: readonly Image[], tell: Tell): Promise<void> {
  const present = (await ctr(["images", "ls", "-q"])).split("\n");
  for (const { ref, archive } of images) {
    if (present.includes(ref)) continue;
    await ctr(["images", "import", archive]);
    tell(`loaded image ${ref}`);
  }
}

function ctr(args: string[]): Promise<string> {
  const pid = running();
  const init = pid && initOf(pid);
  if (!init) throw new UserError("the cluster is not running; start it with `npm start`");
  return run("nsenter", ["-t", String(init), "-m", "ctr", "-a", SOCKET, "-n", "k8s.io", ...args]);
}

/** kubectl as administrator of this instance's cluster. */
export function kubectl(args: string[], input?: string): Promise<string> {
  const { bin } = JSON.parse(readFileSync(specFile, "utf8")) as NodeSpec;
  return run(join(bin, "kubectl"), [`--kubeconfig=${state.kubeconfig}`, ...args], { input });
}

export async function apiAnswers(): Promise<boolean> {
  return kubectl(["get", "--raw", "/readyz", "--request-timeout=2s"]).then(
    () => true,
    () => false,
  );
}

/** Whether the kubelet of this boot has said that the node is Ready: what was said before the boot does not count. */
async function nodeReady(since: number): Promise<boolean> {
  const { status } = JSON.parse(await kubectl(["get", "node", NODE, "-o", "json"])) as {
    status: { conditions: { type: string; status: string; lastHeartbeatTime: string }[] };
  };
  return status.conditions.some(
    (c) => c.type === "Ready" && c.status === "True" && isSince(c.lastHeartbeatTime, since),
  );
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

/** Ends the node. Its data stays, and the next start goes on with it. */
export function stopCluster(): Promise<void> {
  return withLock(lock, async () => {
    await end();
    await cleanUp();
  });
}

/** Ends the node and removes all it had: data, addresses, cgroups. */
export function purgeCluster(): Promise<void> {
  return withLock(lock, async () => {
    await end();
    await cleanUp();
    if (existsSync(specFile))
      await unsealBlock(networkOf((JSON.parse(readFileSync(specFile, "utf8")) as NodeSpec).network.slot));
    rmSync(state.cluster, { recursive: true, force: true });
    releaseSlot();
  });
}

/** Puts away what a killed node leaves: mounts, links and namespaces went with it, cgroup folders did not. */
async function cleanUp(): Promise<void> {
  await end(0);
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
