import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Counters of the kernel's CPU quota since the cgroup was made. */
export interface Throttling {
  readonly periods: number;
  readonly throttled: number;
}

/**
 * The counters of this process's own cgroup (version 1 or 2), as a container or the host sees them.
 *
 * @param root of the file system
 * @returns null without a CPU quota, or where the kernel's files are not there
 */
export function readThrottling(root = "/"): Throttling | null {
  for (const { folder, quota } of candidates(root)) {
    const stat = read(join(folder, "cpu.stat"));
    const limit = read(join(folder, quota));
    if (stat === undefined || limit === undefined) continue;
    return hasQuota(limit) ? parseCpuStat(stat) : null;
  }
  return null;
}

/** @returns null if the text of a `cpu.stat` does not count periods */
export function parseCpuStat(text: string): Throttling | null {
  const value = (name: string) => new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1];
  const [periods, throttled] = [value("nr_periods"), value("nr_throttled")];
  return periods === undefined || throttled === undefined
    ? null
    : { periods: Number(periods), throttled: Number(throttled) };
}

/** Share of the periods between two looks that were throttled; null if either look found no quota. */
export function throttledShare(before: Throttling | null, after: Throttling | null): number | null {
  if (!before || !after) return null;
  const periods = after.periods - before.periods;
  return periods > 0 ? Math.max(after.throttled - before.throttled, 0) / periods : 0;
}

/** `max 100000` (version 2) and `-1` (version 1) mean none. */
const hasQuota = (limit: string): boolean => /^\s*[1-9]/.test(limit);

/**
 * Where the files may be: below the path that /proc names, or at the root of the mount, which is where a container without a
 * cgroup namespace finds its own.
 */
function candidates(root: string): { folder: string; quota: string }[] {
  const lines = (read(join(root, "proc/self/cgroup")) ?? "").trim().split("\n");
  const found: { folder: string; quota: string }[] = [];
  for (const line of lines) {
    const [id, controllers = "", path = "/"] = line.split(":");
    if (controllers.split(",").includes("cpu"))
      for (const mount of [controllers, "cpu", "cpu,cpuacct"])
        for (const place of [path, ""])
          found.push({ folder: join(root, "sys/fs/cgroup", mount, place), quota: "cpu.cfs_quota_us" });
    if (id === "0")
      for (const mount of ["", "unified"])
        for (const place of [path, ""])
          found.push({ folder: join(root, "sys/fs/cgroup", mount, place), quota: "cpu.max" });
  }
  return found;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
