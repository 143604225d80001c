import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../exec.ts";
import { socketOf, stateOf } from "./services.ts";
import type { Node } from "./spec.ts";

/** Gives the node, whose mount namespace we are in, of its own what it would share with the machine or with another node. */
export async function privateMounts(node: Node, isFirst: boolean): Promise<void> {
  await run("mount", ["--make-rshared", "/"]);
  // The sockets of all nodes' containerds are in one folder, so that all are reached from within the first node.
  for (const folder of isFirst ? ["/run/netns", "/run/containerd"] : ["/run/netns"]) {
    mkdirSync(folder, { recursive: true });
    await run("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder]);
    await run("mount", ["--make-rshared", folder]);
  }
  for (const path of [socketOf(node.name), stateOf(node.name)]) rmSync(path, { recursive: true, force: true });
  for (const [name, folder] of [
    ["cni-cache", "/var/lib/cni"],
    ["container-links", "/var/log/containers"],
  ]) {
    const own = join(node.folder, name);
    for (const path of [own, folder]) mkdirSync(path, { recursive: true });
    await run("mount", ["--bind", own, folder]);
  }
  await writeOver({
    // The kubelet wants these kernel settings and writes them when they differ. They are the whole machine's, so it gets copies
    // that already hold what it wants.
    "/proc/sys/vm/overcommit_memory": "1",
    "/proc/sys/kernel/panic": "10",
    "/proc/sys/kernel/panic_on_oops": "1",
    // To the kubelet, CPUs that are not the node's are offline: it neither offers them nor gives them to pods.
    ...(node.cpus === null ? {} : { "/sys/devices/system/cpu/online": node.cpus }),
  });

  async function writeOver(files: Readonly<Record<string, string>>): Promise<void> {
    const copies = join("/run/containerd", `${node.name}.kernel`);
    mkdirSync(copies, { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      const copy = join(copies, file.replaceAll("/", "."));
      writeFileSync(copy, `${text}\n`);
      await run("mount", ["--bind", copy, file]);
    }
  }
}
