/**
 * A node: runs as the one process under `init` in its own pid, mount and network namespaces, starts its services in order and
 * keeps them up. When it ends, the kernel ends everything else in these namespaces. The first node is also the control plane,
 * and the other nodes' namespaces lie within its own: when it ends, all end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { request as http } from "node:http";
import { request as https } from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../exec.ts";
import { joinSystem } from "./cgroups.ts";
import { apiOf, controlPlane } from "./controlPlane.ts";
import { privateMounts } from "./mounts.ts";
import { startInside } from "./namespaces.ts";
import { connect } from "./network.ts";
import { initOf } from "./process.ts";
import { nodeServices, socketOf } from "./services.ts";
import type { ClusterSpec, Node, Service } from "./spec.ts";
import { provisionVolumes } from "./volumes.ts";

const [file, name] = process.argv.slice(2);
const cluster = JSON.parse(readFileSync(file, "utf8")) as ClusterSpec;
const node = cluster.nodes.find((one) => one.name === name)!;
const [first, ...others] = cluster.nodes;
const isFirst = node === first;
const pki = (name: string) => readFileSync(join(cluster.folder, "pki", name));
const services = new Set<ChildProcess>();
const nodes = new Set<ChildProcess>();
const say = (text: string) => console.log(`${new Date().toISOString()} ${text}`);

process.on("SIGTERM", () => {
  say("stopping");
  for (const outer of nodes) {
    const init = initOf(outer.pid!);
    if (init !== undefined) process.kill(init, "SIGTERM");
  }
  // The services first, etcd among them, so that their files are whole; init's end then ends the containers.
  for (const child of services) child.kill("SIGTERM");
  setTimeout(() => process.exit(0), 1500);
});

joinSystem(node.name);
await privateMounts(node, isFirst);
await until("the network link", 30, async () => (await run("ip", ["link"])).includes("svc0"));
await run("sysctl", ["-qw", "net.ipv4.ip_forward=1"]);
// No container of the node is alive now. Of a dead one's CPUs nothing need be known, and the kubelet refuses to start with
// what another policy or another set of CPUs has left.
rmSync(join(node.folder, "kubelet", "cpu_manager_state"), { force: true });
const [containerd, ...rest] = nodeServices(cluster, node);
await start(containerd);
await until("containerd", 30, async () => existsSync(socketOf(node.name)));
if (isFirst) {
  // Before there are pods: what is mounted here now is also mounted in there.
  for (const other of others) await startNode(other);
  for (const service of controlPlane(cluster)) await start(service);
} else await until("the API server", 120, () => answers(`${apiOf(first.link.address)}/readyz`));
for (const service of rest) await start(service);
say("node started");
if (isFirst)
  await provisionVolumes(
    join(cluster.folder, "pki", "admin.kubeconfig"),
    join(cluster.folder, "volumes"),
    node.name,
    say,
  );

async function start(service: Service): Promise<void> {
  say(`starting ${service.name}`);
  launch(service);
  if (service.ready) await until(service.name, 90, () => answers(service.ready!));
}

/** Starts the process and again when it ends: a kubelet that fell over must not take the node with it. */
function launch(service: Service): void {
  const [command, ...args] = service.command;
  const log = logFile(node, service.name);
  const child = spawn(command, args, { stdio: ["ignore", log, log], env: { PATH: process.env.PATH, HOME: "/root" } });
  services.add(child);
  child.once("exit", (code, signal) => {
    services.delete(child);
    say(`${service.name} ended with ${signal ?? code}`);
    setTimeout(() => launch(service), 1000);
  });
}

/** Starts another node and again when it ends. Its link goes with it. */
async function startNode(other: Node): Promise<void> {
  say(`starting ${other.name}`);
  const program = [process.execPath, process.argv[1], file, other.name];
  const inside = await startInside(program, logFile(other, "node"));
  if (!inside) return say(`${other.name} did not start`);
  nodes.add(inside.outer);
  inside.outer.once("exit", (code, signal) => {
    nodes.delete(inside.outer);
    say(`${other.name} ended with ${signal ?? code}`);
    setTimeout(() => startNode(other), 1000);
  });
  await connect(cluster.network, other.link, inside.init);
}

function logFile({ folder }: Node, of: string): number {
  mkdirSync(join(folder, "log"), { recursive: true });
  return openSync(join(folder, "log", `${of}.log`), "a");
}

async function until(what: string, seconds: number, ready: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await ready())) {
    if (Date.now() > end) {
      say(`${what} was not ready within ${seconds} s`);
      process.exit(1);
    }
    await sleep(100);
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const secure = url.startsWith("https:");
    const options = secure ? { ca: pki("ca.crt"), cert: pki("admin.crt"), key: pki("admin.key") } : {};
    const request = (secure ? https : http)(url, { ...options, timeout: 1000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("error", () => resolve(false));
    request.on("timeout", () => request.destroy());
    request.end();
  });
}
