import { UserError } from "../../error.ts";
import type { WorkerSet } from "../spec.ts";
import type { Kubernetes, Pod } from "./kubernetes.ts";
import type { WaitOptions } from "./servers.ts";

/** How long the worker pods may take to run once the servers are there. Their image is the coordinator's own. */
export const workerSeconds = 120;

/**
 * Waits until all worker pods run.
 *
 * @throws UserError if one of them has ended, or if they have not come in time
 */
export async function waitForWorkers(
  kubernetes: Kubernetes,
  { namespace, selector, count }: WorkerSet,
  { say, intervalMs = 500, signal, workerSeconds: limit = workerSeconds }: WaitOptions,
): Promise<Pod[]> {
  const deadline = performance.now() + limit * 1000;
  let last: string | undefined;
  for (;;) {
    const pods = (await kubernetes.listPods(namespace, selector)).filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
    const ended = pods.find(({ status }) => status.phase === "Failed" || status.phase === "Succeeded");
    if (ended)
      throw new UserError(
        `Nothing was measured: worker pod ${ended.metadata.name} ${fate(ended)} before the run began. Workers serve one run; raise benchmark.rerun (npm start -- --rerun) for new ones.`,
      );
    const running = pods.filter(({ status }) => status.phase === "Running" && status.podIP);
    if (running.length === count && pods.length === count) return running;
    const others = pods.filter((pod) => !running.includes(pod));
    const amiss = `${running.length} of ${count} worker pods run${others.length ? ` (${others.map(describe).join(", ")})` : ""}`;
    if (amiss !== last) say(`waiting for the workers: ${amiss}`);
    last = amiss;
    if (performance.now() >= deadline)
      throw new UserError(
        `Nothing was measured: after ${limit} s only ${amiss} in namespace ${namespace} (${selector}). The events of the worker Job and of its pods say why; fewer benchmark.pods need less room.`,
      );
    if (signal?.aborted) throw new UserError(`Nothing was measured: interrupted while ${amiss}.`);
    await new Promise((next) => setTimeout(next, intervalMs));
  }
}

const describe = ({ metadata, status }: Pod): string => {
  const why = status.containerStatuses?.map(({ state }) => state?.waiting?.reason).find(Boolean);
  return `${metadata.name} is ${why ?? status.phase ?? "unknown"}`;
};

/** How it ended, such as `ended (OOMKilled, exit code 137)`. */
function fate({ metadata, status }: Pod): string {
  const ended = status.containerStatuses?.map(({ state }) => state?.terminated).find(Boolean);
  if (ended) return `ended (${ended.reason ?? "no reason given"}, exit code ${ended.exitCode})`;
  if (metadata.deletionTimestamp) return "was deleted";
  if (status.phase === "Failed") return `failed (${status.reason ?? "no reason given"})`;
  return `is ${status.phase ?? "in an unknown state"}`;
}

/** What the API server knows of a worker that is not heard of any more; asked for a sentence and never a failure itself. */
export async function fateOf(
  kubernetes: Kubernetes,
  { namespace, selector }: WorkerSet,
  name: string,
): Promise<string> {
  try {
    const pods = await kubernetes.listPods(namespace, selector);
    const pod = pods.find(({ metadata }) => metadata.name === name);
    return pod ? fate(pod) : "is not there any more";
  } catch {
    return "is in a state that the API server did not tell";
  }
}
