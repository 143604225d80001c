import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { instance } from "../paths.ts";

const ROOT = "/sys/fs/cgroup";
const V1_CONTROLLERS = [
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "devices",
  "freezer",
  "blkio",
  "pids",
  "hugetlb",
  "net_cls",
  "net_prio",
  "perf_event",
  "systemd",
];

/** The cgroup that holds everything of this instance. */
const instanceGroup = `/inference-stack-${instance}`;
/** A node's part of it, on the node's CPUs; its kubelet's `cgroupRoot`. */
export const cgroupOf = (node: string) => join(instanceGroup, node);
/** The node's part for etcd, API server, kubelet, containerd and the like. */
const systemOf = (node: string) => join(cgroupOf(node), "system");

const unified = () => existsSync(join(ROOT, "cgroup.controllers"));
const hierarchies = () =>
  unified() ? [ROOT] : V1_CONTROLLERS.map((c) => join(ROOT, c)).filter((path) => existsSync(path));

/**
 * Creates the instance's cgroups in every hierarchy (cgroup v1) or in the one there is (v2).
 *
 * @param nodes their names, and their CPUs in Linux list format or null for all
 */
export function createCgroups(nodes: readonly { readonly name: string; readonly cpus: string | null }[]): void {
  const everything = cpusOf("/");
  const groups = nodes.flatMap(({ name, cpus }) => [
    { group: cgroupOf(name), cpus },
    { group: systemOf(name), cpus },
  ]);
  for (const hierarchy of hierarchies()) {
    for (const { group, cpus } of [{ group: instanceGroup, cpus: null }, ...groups]) {
      mkdirSync(join(hierarchy, group), { recursive: true });
      if (unified()) enableControllers(join(hierarchy, group, ".."));
      // A v1 cpuset is born empty and takes no process until it is filled in.
      if (hierarchy.endsWith("/cpuset"))
        writeFileSync(join(hierarchy, group, "cpuset.mems"), readFileSync(join(hierarchy, "cpuset.mems"), "utf8"));
      if (hierarchy === cpusets()) writeFileSync(join(hierarchy, group, "cpuset.cpus"), cpus ?? everything);
    }
  }
}

/** The hierarchy that says which CPUs a group may use. */
const cpusets = () => (unified() ? ROOT : join(ROOT, "cpuset"));
const cpusOf = (group: string) =>
  readFileSync(join(cpusets(), group, unified() ? "cpuset.cpus.effective" : "cpuset.cpus"), "utf8").trim();

function enableControllers(path: string): void {
  const controllers = readFileSync(join(path, "cgroup.controllers"), "utf8").trim().split(" ");
  writeFileSync(join(path, "cgroup.subtree_control"), controllers.map((c) => `+${c}`).join(" "));
}

/** Moves this process, and what it will start, into the node's system part. */
export function joinSystem(node: string): void {
  for (const hierarchy of hierarchies()) writeFileSync(join(hierarchy, systemOf(node), "cgroup.procs"), "0"); // 0: the writer
}

/**
 * Keeps a node's system off the cores that serve. Pods are not affected: they live in another part of the tree.
 *
 * @param cpus Linux list format; undefined for all CPUs of the node
 */
export function confineSystem(node: string, cpus: string | undefined): void {
  writeFileSync(join(cpusets(), systemOf(node), "cpuset.cpus"), cpus ?? cpusOf(cgroupOf(node)));
}

/** Removes what is left of the instance's cgroups. They are empty once its processes are gone. */
export function removeCgroups(): void {
  // In a hybrid layout runc makes folders in the v2 tree too, which holds no controllers there.
  for (const hierarchy of [...hierarchies(), join(ROOT, "unified")]) removeTree(join(hierarchy, instanceGroup));
}

/** Cgroup folders are removed leaf first by rmdir alone; their files cannot be deleted and need not be. */
function removeTree(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
