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

/** The cgroup that holds everything of this instance; the kubelet's `cgroupRoot`. */
export const cgroupRoot = `/inference-stack-${instance}`;
/** Its part for etcd, API server, kubelet, containerd and the like. */
const system = join(cgroupRoot, "system");

const unified = () => existsSync(join(ROOT, "cgroup.controllers"));
const hierarchies = () =>
  unified() ? [ROOT] : V1_CONTROLLERS.map((c) => join(ROOT, c)).filter((path) => existsSync(path));

/** Creates the instance's cgroups in every hierarchy (cgroup v1) or in the one there is (v2). */
export function createCgroups(): void {
  for (const hierarchy of hierarchies()) {
    for (const group of [cgroupRoot, system]) {
      const path = join(hierarchy, group);
      mkdirSync(path, { recursive: true });
      // A v1 cpuset is born empty and takes no process until it is filled in.
      if (hierarchy.endsWith("/cpuset"))
        for (const file of ["cpuset.cpus", "cpuset.mems"])
          writeFileSync(join(path, file), readFileSync(join(path, "..", file), "utf8"));
    }
    if (unified()) for (const path of [ROOT, join(ROOT, cgroupRoot)]) enableControllers(path);
  }
}

function enableControllers(path: string): void {
  const controllers = readFileSync(join(path, "cgroup.controllers"), "utf8").trim().split(" ");
  writeFileSync(join(path, "cgroup.subtree_control"), controllers.map((c) => `+${c}`).join(" "));
}

/** Moves this process, and what it will start, into the system part. */
export function joinSystem(): void {
  for (const hierarchy of hierarchies()) writeFileSync(join(hierarchy, system, "cgroup.procs"), "0"); // 0: the writer
}

/**
 * Keeps the control plane off the cores that serve. Pods are not affected: they live in another part of the tree.
 *
 * @param cpus Linux list format; undefined for all CPUs
 */
export function confineSystem(cpus: string | undefined): void {
  const hierarchy = unified() ? ROOT : join(ROOT, "cpuset");
  const all = readFileSync(join(hierarchy, unified() ? "cpuset.cpus.effective" : "cpuset.cpus"), "utf8").trim();
  writeFileSync(join(hierarchy, system, "cpuset.cpus"), cpus ?? all);
}

/** Removes what is left of the instance's cgroups. They are empty once its processes are gone. */
export function removeCgroups(): void {
  // In a hybrid layout runc makes folders in the v2 tree too, which holds no controllers there.
  for (const hierarchy of [...hierarchies(), join(ROOT, "unified")]) removeTree(join(hierarchy, cgroupRoot));
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
