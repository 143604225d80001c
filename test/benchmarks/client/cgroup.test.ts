import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { parseCpuStat, readThrottling, throttledShare } from "../../../benchmarks/client/cgroup.ts";

function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "cgroup-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}
const v1 = "nr_periods 100\nnr_throttled 7\nthrottled_time 5000\n";
const v2 = "usage_usec 1\nuser_usec 1\nsystem_usec 0\nnr_periods 40\nnr_throttled 2\nthrottled_usec 9\n";

test("version 2: in a container with a cgroup namespace, and below the path of one without", () => {
  const own = { "sys/fs/cgroup/cpu.stat": v2, "sys/fs/cgroup/cpu.max": "50000 100000\n" };
  expect(readThrottling(tree({ "proc/self/cgroup": "0::/\n", ...own }))).toEqual({ periods: 40, throttled: 2 });
  expect(readThrottling(tree({ "proc/self/cgroup": "0::/kubepods/pod1/c1\n", ...own }))).toEqual({
    periods: 40,
    throttled: 2,
  });
  const below = tree({
    "proc/self/cgroup": "0::/kubepods/pod1\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
    "sys/fs/cgroup/kubepods/pod1/cpu.stat": v2,
    "sys/fs/cgroup/kubepods/pod1/cpu.max": "50000 100000\n",
  });
  expect(readThrottling(below)).toEqual({ periods: 40, throttled: 2 });
});

test("version 1, alone or beside an empty version 2", () => {
  const cgroup = "5:cpu,cpuacct:/kubepods/pod1\n3:cpuset:/kubepods/pod1\n0::/\n";
  for (const folder of ["sys/fs/cgroup/cpu,cpuacct/kubepods/pod1", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpu"]) {
    const files = { [`${folder}/cpu.stat`]: v1, [`${folder}/cpu.cfs_quota_us`]: "20000\n" };
    expect(readThrottling(tree({ "proc/self/cgroup": cgroup, ...files }))).toEqual({ periods: 100, throttled: 7 });
  }
});

test("null without a quota, and where there is nothing to read", () => {
  const files = (quota: string) => ({ "sys/fs/cgroup/cpu/cpu.stat": v1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota });
  expect(readThrottling(tree({ "proc/self/cgroup": "5:cpu:/\n", ...files("-1\n") }))).toBeNull();
  const max = { "sys/fs/cgroup/cpu.stat": v2, "sys/fs/cgroup/cpu.max": "max 100000\n" };
  expect(readThrottling(tree({ "proc/self/cgroup": "0::/\n", ...max }))).toBeNull();
  expect(readThrottling(tree({ "proc/self/cgroup": "0::/\n" }))).toBeNull();
  expect(readThrottling(tree({}))).toBeNull();
  expect(parseCpuStat("usage_usec 1\n")).toBeNull();
});

test("the share is that of the periods between two looks", () => {
  expect(throttledShare({ periods: 100, throttled: 10 }, { periods: 300, throttled: 12 })).toBe(0.01);
  expect(throttledShare({ periods: 100, throttled: 10 }, { periods: 100, throttled: 10 })).toBe(0);
  expect(throttledShare(null, { periods: 1, throttled: 1 })).toBeNull();
});
