import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { apiAnswers, kubectl, readSpec, readyNodes } from "./cluster/cluster.ts";
import { running } from "./cluster/process.ts";
import { cacheDir, instance, instancesDir, state, stateDir } from "./paths.ts";
import { unwellPods } from "./stack/failure.ts";

interface Finding {
  readonly ok: boolean;
  readonly what: string;
  /** What to do about it. */
  readonly mend?: string;
}

/** One look at what runs. Exit code 0 when the cluster answers. */
export async function status(): Promise<number> {
  const pid = running();
  const answers = pid !== undefined && (await apiAnswers());
  console.log(`instance    ${instance}`);
  console.log(`state       ${stateDir}`);
  console.log(`cache       ${cacheDir}`);
  console.log(
    `cluster     ${pid === undefined ? "stopped" : answers ? `running (process ${pid})` : `process ${pid} runs, the API does not answer`}`,
  );
  if (!answers) return 1;
  console.log(`kubeconfig  ${state.kubeconfig}`);
  const ready = await readyNodes();
  for (const { name, cpus } of readSpec()?.nodes ?? [])
    console.log(`${name.padEnd(12)}${ready.includes(name) ? "Ready" : "not ready"}, CPUs ${cpus ?? "all"}`);
  console.log(await kubectl(["get", "pods", "-A", "-o", "wide"]));
  return 0;
}

/** Checks the machine and the cluster. Exit code 1 when something is wrong. */
export async function doctor(): Promise<number> {
  const findings = [...machine(), ...(await cluster()), ...strays()];
  for (const { ok, what, mend } of findings) {
    console.log(`${ok ? "ok  " : "FAIL"}  ${what}`);
    if (!ok && mend) console.log(`      ${mend}`);
  }
  return findings.every(({ ok }) => ok) ? 0 : 1;
}

function machine(): Finding[] {
  const { bavail, bsize } = statfsSync(existsSync(cacheDir) ? cacheDir : "/");
  const free = (bavail * bsize) / 2 ** 30;
  const tools = ["containerd", "runc", "buildah", "iptables", "catatonit", "nsenter", "flock", "openssl"];
  const missing = tools.filter((tool) => !found(tool));
  return [
    {
      ok: process.getuid?.() === 0,
      what: "running as root",
      mend: "namespaces, cgroups and mounts need it: run as root",
    },
    {
      ok: process.platform === "linux",
      what: `a Linux kernel (${process.platform})`,
      mend: "use a Linux machine or the stacks with cluster.kind kubeconfig",
    },
    { ok: free > 5, what: `${free.toFixed(0)} GiB of disk free`, mend: "a build needs 5 GiB or more" },
    {
      ok: missing.length === 0,
      what: `tools on PATH${missing.length ? `, but ${missing.join(", ")}` : ""}`,
      mend: "`npm start` installs them",
    },
    {
      ok: existsSync("/sys/fs/cgroup"),
      what: "cgroups mounted",
      mend: "mount the cgroup file system at /sys/fs/cgroup",
    },
  ];
}

function found(tool: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function cluster(): Promise<Finding[]> {
  if (running() === undefined) return [{ ok: true, what: "cluster is stopped" }];
  if (!(await apiAnswers()))
    return [
      {
        ok: false,
        what: "the API server answers",
        mend: `\`npm stop\`, then \`npm start\`; logs: ${join(state.cluster, "log")}`,
      },
    ];
  const ready = await readyNodes();
  const unwell = await unwellPods(5);
  return [
    { ok: true, what: "the API server answers" },
    ...(readSpec()?.nodes ?? []).map(({ name, folder }) => ({
      ok: ready.includes(name),
      what: `node ${name} is Ready`,
      mend: `see ${join(folder, "log", "kubelet.log")}; \`npm stop\` and \`npm start\` boot it again`,
    })),
    { ok: unwell === "", what: "all pods are well", mend: unwell.replaceAll("\n", "\n      ") },
  ];
}

/** Instances of checkouts are only known by their state; one that runs without us knowing shows as a cgroup. */
function strays(): Finding[] {
  const root = existsSync("/sys/fs/cgroup/cpuset") ? "/sys/fs/cgroup/cpuset" : "/sys/fs/cgroup";
  const groups = existsSync(root) ? readdirSync(root).filter((name) => name.startsWith("inference-stack-")) : [];
  const known = existsSync(instancesDir) ? readdirSync(instancesDir) : [];
  const unknown = groups.map((name) => name.slice("inference-stack-".length)).filter((id) => !known.includes(id));
  const leftover = running() === undefined && groups.includes(`inference-stack-${instance}`);
  const others = known.filter((id) => id !== instance && existsSync(join(instancesDir, id, "cluster", "process.json")));
  return [
    {
      ok: unknown.length === 0,
      what: `no cgroups of unknown instances${unknown.length ? `, but ${unknown.join(", ")}` : ""}`,
      mend: "another user's, or their state folder was deleted by hand: end their processes and rmdir the groups",
    },
    { ok: !leftover, what: "nothing left of a killed cluster", mend: "`npm stop` cleans up" },
    ...others.map((id) => ({ ok: true, what: `another instance has a cluster: ${id}${slotOf(id)}` })),
  ];
}

function slotOf(id: string): string {
  const file = join(instancesDir, id, "cluster", "cluster.json");
  return existsSync(file)
    ? ` (${(JSON.parse(readFileSync(file, "utf8")) as { network: { block: string } }).network.block})`
    : "";
}
