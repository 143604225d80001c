import { UserError } from "../../error.ts";
import type { Kubernetes, Pod } from "../client/kubernetes.ts";
import { changes } from "../client/servers.ts";
import type { LocustSpec } from "./spec.ts";

export interface EndedRun {
  /** The master's log. */
  readonly log: string;
  /** What happened to the servers meanwhile: one sentence each. */
  readonly seen: readonly string[];
  readonly servers: readonly Pod[];
}

/**
 * Waits until Locust's master has ended.
 *
 * @throws UserError with the end of its log if it failed, or if it did not end in time
 */
export async function waitForMaster(
  kubernetes: Kubernetes,
  { job, patienceSeconds, servers }: LocustSpec,
  { say, intervalMs = 1000 }: { readonly say: (text: string) => void; readonly intervalMs?: number },
): Promise<EndedRun> {
  const deadline = performance.now() + patienceSeconds * 1000;
  const before = await kubernetes.listPods(servers.namespace, servers.selector);
  for (let last = ""; ; ) {
    const [pod] = await kubernetes.listPods(job.namespace, `batch.kubernetes.io/job-name=${job.name}`);
    const phase = pod?.status.containerStatuses?.[0]?.state?.waiting?.reason ?? pod?.status.phase ?? "no pod yet";
    if (pod && phase === "Succeeded") {
      const after = await kubernetes.listPods(servers.namespace, servers.selector);
      return {
        log: await kubernetes.wholeLog(job.namespace, pod.metadata.name, "locust"),
        seen: changes(before, after, servers),
        servers: after,
      };
    }
    const isLate = performance.now() >= deadline;
    if (pod && (phase === "Failed" || isLate)) {
      const log = await kubernetes.wholeLog(job.namespace, pod.metadata.name, "locust").catch(() => "");
      const end = log.trim().split("\n").slice(-3).join(" | ");
      const why = isLate ? `has not ended after ${patienceSeconds} s (${phase})` : "failed";
      throw new UserError(
        `Nothing was measured: Locust's master ${pod.metadata.name} ${why}. Its log ends with: ${end || "nothing"}. To try the same again, raise locust.rerun.`,
      );
    }
    if (isLate) throw new UserError(`Nothing was measured: after ${patienceSeconds} s Job ${job.name} has no pod.`);
    if (phase !== last) say(`Locust's master: ${phase}`);
    last = phase;
    await new Promise((next) => setTimeout(next, intervalMs));
  }
}
