import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseCpuList } from "../../../components/serving/cpuList.ts";
import { observed, pinned, pinningEnv } from "../../../components/serving/pinning.ts";

const own = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))![1];
/** Any one CPU this process may use. */
const cpu = own.split(/[-,]/)[0];
const PATH = process.env.PATH!;

/** Runs the wrapper as a container would. */
function start(lists: string[], podIndex: number, command: string[], path = PATH, more: Record<string, string> = {}) {
  const instances = lists.map((cpus) => ({ cpus, memoryNode: 0, threads: 1 }));
  const set = pinningEnv(instances).map(({ name, value }) => [name, value ?? String(podIndex)]);
  const [file, ...args] = pinned(command);
  return spawnSync(file, args, { env: { PATH: path, ...Object.fromEntries(set), ...more }, encoding: "utf8" });
}

/** A PATH with nothing on it but these. */
let folder: string;
const only = (...tools: string[]) => {
  const path = mkdtempSync(join(folder, "path-"));
  for (const tool of tools) symlinkSync(`/usr/bin/${tool}`, join(path, tool));
  return path;
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pinning-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the pinning wrapper", () => {
  it("runs the server on the CPUs of its pod, having printed them", () => {
    const { status, stdout } = start(["511", cpu], 1, ["grep", "Cpus_allowed_list", "/proc/self/status"]);
    expect(stdout).toBe(`Cpus_allowed_list: ${cpu}\nCpus_allowed_list:\t${cpu}\n`);
    expect(status).toBe(0);
  });

  it("becomes the server: its arguments and exit code are the server's", () => {
    const { status, stdout } = start([cpu], 0, ["bash", "-c", 'printf "%s|" "$@"; exit 7', "x", "a b", "$HOME", ""]);
    expect(stdout).toContain("a b|$HOME||");
    expect(status).toBe(7);
  });

  it("works with taskset alone", () => {
    const { stdout } = start([cpu], 0, ["cat", "/proc/self/status"], only("bash", "taskset", "true", "cat"));
    expect(stdout).toContain(`Cpus_allowed_list:\t${cpu}\n`);
  });

  it.each(["numactl", "taskset"])("fails with %s when the CPU does not exist", (tool) => {
    const { status, stdout, stderr } = start(["4000"], 0, ["echo", "served"], only("bash", tool, "true", "echo"));
    expect(stderr).toMatch(/^pinning: CPUs 4000 cannot be used on this node: \S/);
    expect(stdout).not.toContain("served");
    expect(status).toBe(1);
  });

  it("fails when the kernel grants only a part of the list", () => {
    const { status, stdout, stderr } = start(
      [`${cpu},4000`],
      0,
      ["echo", "served"],
      only("bash", "taskset", "true", "echo"),
    );
    expect(`${stdout}${stderr}`).toContain(`planned are CPUs ${cpu},4000, but the kernel allows ${cpu}`);
    expect(stdout).not.toContain("served");
    expect(status).toBe(1);
  });

  it("fails when the plan has no list for the pod", () => {
    const { status, stderr } = start([cpu], 1, ["echo", "served"]);
    expect(stderr).toBe(`pinning: pod 1 has no CPU list in the plan (${cpu})\n`);
    expect(status).toBe(1);
  });

  it("fails when the image has no tool for it", () => {
    const { status, stderr } = start([cpu], 0, ["echo"], only("bash", "true", "echo"));
    expect(stderr).toContain("neither numactl nor taskset");
    expect(status).toBe(1);
  });

  /** A folder like /sys/fs/cgroup. */
  const cgroups = (files: Record<string, string>) => {
    const root = mkdtempSync(join(folder, "cgroups-"));
    mkdirSync(join(root, "cpu"));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, file), text);
    return { CGROUPS: root };
  };
  const stat = "usage_usec 9\nnr_periods 120\nnr_throttled 7\nthrottled_usec 3\n";

  it.each([
    ["v2", { "cpu.max": "50000 100000\n", "cpu.stat": stat }],
    ["v1", { "cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.stat": stat }],
  ])("writes into the log how often a CPU quota stopped the container (cgroups %s)", (_, files) => {
    const { stdout, status } = start([cpu], 0, ["sleep", "1"], PATH, cgroups(files));
    expect(stdout).toBe(`Cpus_allowed_list: ${cpu}\ncpu.stat nr_periods 120 nr_throttled 7\n`);
    expect(status).toBe(0);
  });

  it.each([
    ["v2", { "cpu.max": "max 100000\n", "cpu.stat": stat }],
    ["v1", { "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.stat": stat }],
    ["none", {}],
  ])("writes nothing where there is no quota (cgroups %s)", (_, files) => {
    const { stdout, stderr } = start([cpu], 0, ["echo", "served"], PATH, cgroups(files));
    expect(stdout + stderr).toBe(`Cpus_allowed_list: ${cpu}\nserved\n`);
  });
});

describe("the wrapper for CPUs that the kubelet chose", () => {
  const observe = (exclusiveCpus: number, allowed: string) => {
    const command = ["-c", allowed, ...observed(["grep", "Cpus_allowed_list", "/proc/self/status"])];
    const set = { EXCLUSIVE_CPUS: String(exclusiveCpus) };
    return spawnSync("taskset", command, { env: { PATH, ...set }, encoding: "utf8" });
  };

  it("prints them and becomes the server when they are as many as planned", () => {
    const { status, stdout } = observe(1, cpu);
    expect(stdout).toBe(`Cpus_allowed_list: ${cpu}\nCpus_allowed_list:\t${cpu}\n`);
    expect(status).toBe(0);
  });

  it("writes into the log how often a CPU quota stopped the container, where the kubelet leaves it one", () => {
    const root = mkdtempSync(join(folder, "cgroups-"));
    writeFileSync(join(root, "cpu.max"), "100000 100000\n");
    writeFileSync(join(root, "cpu.stat"), "nr_periods 120\nnr_throttled 7\n");
    const command = ["-c", cpu, ...observed(["sleep", "1"])];
    const { stdout, status } = spawnSync("taskset", command, {
      env: { PATH, EXCLUSIVE_CPUS: "1", CGROUPS: root },
      encoding: "utf8",
    });
    expect(stdout).toBe(`Cpus_allowed_list: ${cpu}\ncpu.stat nr_periods 120 nr_throttled 7\n`);
    expect(status).toBe(0);
  });

  it("fails when they are not, with what may be the reason", () => {
    const { status, stdout, stderr } = observe(2, cpu);
    expect(stdout).toBe(`Cpus_allowed_list: ${cpu}\n`);
    expect(stderr).toContain(`planned are 2 CPUs of its own, but the kernel allows ${cpu}; does the node's kubelet`);
    expect(status).toBe(1);
  });

  it("counts every form of list", () => {
    const list = parseCpuList(own);
    expect(observe(list.length, own).status).toBe(0);
    expect(observe(list.length + 1, own).status).toBe(1);
  });
});
