/**
 * The node itself: runs as the one process under `init` in its own pid, mount and network namespaces, starts the services
 * in order and keeps them up. When it ends, the kernel ends everything else in these namespaces.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { request as http } from "node:http";
import { request as https } from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../exec.ts";
import { joinSystem } from "./cgroups.ts";
import { type NodeSpec, type Service, SOCKET, services } from "./services.ts";
import { provisionVolumes } from "./volumes.ts";

const spec = JSON.parse(readFileSync(process.argv[2], "utf8")) as NodeSpec;
const pki = (file: string) => readFileSync(join(spec.folder, "pki", file));
const children: ChildProcess[] = [];
const say = (text: string) => console.log(`${new Date().toISOString()} ${text}`);

process.on("SIGTERM", () => {
  say("stopping");
  // The services first, etcd among them, so that their files are whole; init's end then ends the containers.
  for (const child of children) child.kill("SIGTERM");
  setTimeout(() => process.exit(0), 1500);
});

joinSystem();
await privateMounts();
await network();
for (const service of services(spec)) await start(service);
say("node started");
await provisionVolumes(join(spec.folder, "pki", "admin.kubeconfig"), join(spec.folder, "volumes"), spec.node, say);

/** What would otherwise be shared with the machine or with another instance's node. */
async function privateMounts(): Promise<void> {
  await run("mount", ["--make-rshared", "/"]);
  for (const folder of ["/run/netns", "/run/containerd"]) {
    mkdirSync(folder, { recursive: true });
    await run("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder]);
    await run("mount", ["--make-rshared", folder]);
  }
  for (const [name, folder] of [
    ["cni-cache", "/var/lib/cni"],
    ["container-links", "/var/log/containers"],
  ]) {
    const own = join(spec.folder, name);
    for (const path of [own, folder]) mkdirSync(path, { recursive: true });
    await run("mount", ["--bind", own, folder]);
  }
  // The kubelet wants these kernel settings and writes them when they differ. They are the whole machine's, so it gets
  // copies that already hold what it wants.
  const settings = { "vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1" };
  const copies = join("/run/containerd", "sysctl");
  mkdirSync(copies);
  for (const [name, value] of Object.entries(settings)) {
    const copy = join(copies, name.replace("/", "."));
    writeFileSync(copy, `${value}\n`);
    await run("mount", ["--bind", copy, join("/proc/sys", name)]);
  }
}

/** Waits for the link that the command line moves in here, then lets the node forward for its pods. */
async function network(): Promise<void> {
  await until(
    "the network link",
    30,
    async () => existsSync("/sys/class/net/svc0") || (await run("ip", ["link"])).includes("svc0"),
  );
  await run("sysctl", ["-qw", "net.ipv4.ip_forward=1"]);
}

async function start(service: Service): Promise<void> {
  say(`starting ${service.name}`);
  launch(service);
  if (service.name === "containerd") await until("containerd", 30, async () => existsSync(SOCKET));
  if (service.ready) await until(service.name, 90, () => answers(service.ready!));
}

/** Starts the process and again when it ends: a kubelet that fell over must not take the node with it. */
function launch(service: Service): void {
  const log = openSync(join(spec.folder, "log", `${service.name}.log`), "a");
  const [command, ...args] = service.command;
  const child = spawn(command, args, { stdio: ["ignore", log, log], env: { PATH: process.env.PATH, HOME: "/root" } });
  children.push(child);
  child.once("exit", (code, signal) => {
    children.splice(children.indexOf(child), 1);
    say(`${service.name} ended with ${signal ?? code}`);
    setTimeout(() => launch(service), 1000);
  });
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
