import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";

/**
 * Kills a pod's program with SIGKILL, behind Kubernetes's back and as soon as there is one, and returns when it is there again.
 *
 * @param program what its command line begins with
 */
export async function killProgram(namespace: string, pod: string, program: string): Promise<void> {
  const get = async () => JSON.parse(await kubectl(["get", "pod", pod, "-n", namespace, "-o", "json"]));
  const restarts = async () => (await get()).status.containerStatuses[0].restartCount;
  const before = await restarts();
  const { uid } = (await get()).metadata;
  let pid = processOf(uid, program);
  for (; pid === undefined; pid = processOf(uid, program)) await sleep(100);
  process.kill(pid, "SIGKILL");
  await expect.poll(restarts, { timeout: 90_000 }).toBe(before + 1);
  await kubectl(["wait", "-n", namespace, "--for=condition=Ready", `pod/${pod}`, "--timeout=60s"]);
}

/** A process of a pod. @param program what its command line begins with */
export function processOf(uid: string, program: string): number | undefined {
  const pid = readdirSync("/proc").find((name) => {
    try {
      return (
        readFileSync(`/proc/${name}/cmdline`, "utf8").startsWith(program) &&
        readFileSync(`/proc/${name}/cgroup`, "utf8").includes(uid)
      );
    } catch {
      return false; // not a process, or it has ended meanwhile
    }
  });
  return pid === undefined ? undefined : Number(pid);
}
