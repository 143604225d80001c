import { lookup } from "node:dns/promises";
import { UserError } from "../../error.ts";
import type { Result } from "../result.ts";
import type { ServerSet } from "../spec.ts";
import type { Throttling } from "./cgroup.ts";
import { findCpusAllowed } from "./cpus.ts";
import type { Kubernetes, Pod } from "./kubernetes.ts";
import { misplaced, type Placed } from "./placement.ts";

/** The label by which pods of one plan are told from those of another. */
const planLabel = "inference-stack/plan";

/** Of the pods of the plan, how many exist and stay, and how many of these are Ready. */
export function countServers(pods: readonly Pod[], { planHash }: ServerSet): { wanted: number; ready: readonly Pod[] } {
  const wanted = pods.filter((pod) => isLive(pod) && !isLeaving(pod) && pod.metadata.labels?.[planLabel] === planHash);
  return { wanted: wanted.length, ready: wanted.filter(isReady) };
}

/** Pods that have ended for good (evicted ones stay listed) serve nobody and need no CPU. */
const isLive = ({ status }: Pod): boolean => status.phase !== "Succeeded" && status.phase !== "Failed";
const isLeaving = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;
const isReady = ({ status }: Pod): boolean =>
  status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

/** What keeps these pods from being exactly the planned servers, all Ready; undefined if nothing does. */
export function whatIsAmiss(pods: readonly Pod[], { count, max = count, planHash }: ServerSet): string | undefined {
  const live = pods.filter(isLive);
  const names = (some: readonly Pod[]) => some.map(({ metadata }) => metadata.name).join(", ");
  const others = live.filter(({ metadata }) => metadata.labels?.[planLabel] !== planHash);
  const planned = live.filter((pod) => !others.includes(pod));
  const leaving = planned.filter(isLeaving);
  const staying = planned.filter((pod) => !isLeaving(pod));
  const unready = staying.filter((pod) => !isReady(pod));
  const amiss = [
    others.length > 0 && `pods of another plan are still there: ${names(others)}`,
    leaving.length > 0 && `pods are being deleted: ${names(leaving)}`,
    unready.length > 0 && `pods are not Ready: ${unready.map(describe).join(", ")}`,
    (staying.length < count || staying.length > max) &&
      `${staying.length} of ${max > count ? `${count} to ${max}` : count} planned pods exist`,
  ].filter((text) => typeof text === "string");
  return amiss.length ? amiss.join("; ") : undefined;
}

function describe({ metadata, status }: Pod): string {
  const why = status.containerStatuses?.map(({ state }) => state?.waiting?.reason).find(Boolean);
  return `${metadata.name} (${why ?? status.phase ?? "unknown"})`;
}

export interface WaitOptions {
  /** Called with what is being waited for, each time that changes. */
  readonly say: (text: string) => void;
  /** Time between two looks. Default 500 ms. */
  readonly intervalMs?: number;
  /** Addresses of a name; DNS unless replaced. */
  readonly resolve?: (host: string) => Promise<string[]>;
  /** How long worker pods may take. */
  readonly workerSeconds?: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/**
 * Waits until exactly the planned pods exist and are Ready, and `host` stands for exactly their addresses. Of servers that an
 * autoscaler has added, it waits until they are gone, and takes them as they are if that has not come after `readySeconds`.
 *
 * @throws UserError with what it saw last if that has not come after `readySeconds`
 */
export async function waitForServers(
  kubernetes: Kubernetes,
  set: ServerSet,
  host: string,
  { say, intervalMs = 500, resolve = addressesOf, signal }: WaitOptions,
): Promise<Pod[]> {
  const deadline = performance.now() + set.readySeconds * 1000;
  let last: string | undefined;
  for (;;) {
    const pods = await kubernetes.listPods(set.namespace, set.selector);
    const live = pods.filter(isLive);
    const amiss = whatIsAmiss(pods, set) ?? (await namesAmiss(live, host, resolve));
    const isLate = performance.now() >= deadline;
    // What the autoscaler has added for an earlier load goes with time, and then it can be seen to add it.
    const tooMany = live.length > set.count && !isLate ? `there are ${live.length} and will be fewer` : undefined;
    if (!amiss && !tooMany) return live;
    const why = amiss ?? tooMany;
    if (why !== last) say(`waiting for ${set.count} server(s) of plan ${set.planHash}: ${why}`);
    last = why;
    if (isLate)
      throw new UserError(
        `Nothing was measured: after ${set.readySeconds} s the servers in namespace ${set.namespace} (${set.selector}) are not the ${set.count} planned ones: ${amiss}.`,
      );
    if (signal?.aborted) throw new UserError(`Nothing was measured: interrupted while ${why}.`);
    await new Promise((next) => setTimeout(next, intervalMs));
  }
}

/** DNS follows the pods with some delay. A server it does not yet know would get no load. */
async function namesAmiss(pods: readonly Pod[], host: string, resolve: (host: string) => Promise<string[]>) {
  const expected = pods.map(({ status }) => status.podIP ?? "").sort();
  const found = (await resolve(host)).sort();
  if (expected.join() === found.join()) return undefined;
  return `the name ${host} stands for [${found.join(", ")}] and the pods have [${expected.join(", ")}]`;
}

async function addressesOf(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true }).catch(() => []); // not known yet
  return [...new Set(found.map(({ address }) => address))];
}

/** Reads from each server's log the CPUs it may run on, where its wrapper has printed them before it started the server. */
export async function observeServers(
  kubernetes: Kubernetes,
  set: ServerSet,
  pods: readonly Pod[],
): Promise<Omit<Result["environment"]["servers"][number], "throttledShare">[]> {
  return Promise.all(
    pods.map(async ({ metadata: { name }, spec, status }) => ({
      pod: name,
      node: spec.nodeName ?? "",
      address: status.podIP ?? "",
      cpusPlanned: plannedCpus(set, name),
      cpusAllowed: findCpusAllowed(await kubernetes.podLog(set.namespace, name, spec.containers[0]!.name)) ?? null,
      images: status.containerStatuses?.map(({ imageID }) => imageID) ?? [],
    })),
  );
}

/** Sentences on what the kubelets, where they choose the servers' CPUs, have done otherwise than planned. */
export function misplacements(
  { placement = [] }: ServerSet,
  pods: readonly Pod[],
  observed: readonly Placed[],
): string[] {
  return placement.flatMap((planned) => {
    const names = pods
      .filter(({ spec }) => spec.nodeSelector?.["kubernetes.io/hostname"] === planned.node)
      .map(({ metadata }) => metadata.name);
    return misplaced(
      planned,
      observed.filter(({ pod }) => names.includes(pod)),
    );
  });
}

/** The pinning wrapper writes a line each 5 s in a container with a quota. */
const logSeconds = 12;

/**
 * By pod name, for those of the servers that have a CPU limit and say how it was applied. A log that cannot be read, such as that
 * of a pod whose node is lost, says nothing.
 */
export async function readServerThrottling(
  kubernetes: Kubernetes,
  { namespace }: ServerSet,
  pods: readonly Pod[],
): Promise<Map<string, Throttling>> {
  const limited = pods.filter(({ spec }) => spec.containers[0]!.resources?.limits?.cpu !== undefined);
  const found = await Promise.all(
    limited.map(async ({ metadata: { name }, spec }) => {
      const log = await kubernetes.podLog(namespace, name, spec.containers[0]!.name, logSeconds).catch(() => "");
      const last = [...log.matchAll(/^cpu\.stat nr_periods (\d+) nr_throttled (\d+)$/gm)].at(-1);
      return last ? [[name, { periods: Number(last[1]), throttled: Number(last[2]) }] as const] : [];
    }),
  );
  return new Map(found.flat());
}

/** A pod without an ordinal of its own goes by the name of its workload, with which its name begins. */
function plannedCpus({ cpus = {} }: ServerSet, pod: string): string | null {
  const workload = Object.keys(cpus).find((name) => pod.startsWith(`${name}-`));
  return cpus[pod] ?? (workload === undefined ? null : cpus[workload]);
}

/** Sentences on what has happened to the servers between two looks; none if they are the same and still Ready. */
export function changes(before: readonly Pod[], after: readonly Pod[], set: ServerSet): string[] {
  const amiss = whatIsAmiss(after, set);
  const restarts = ({ status }: Pod) =>
    status.containerStatuses?.reduce((sum, { restartCount }) => sum + restartCount, 0) ?? 0;
  const changed = before.flatMap((pod) => {
    const now = after.find(({ metadata }) => metadata.uid === pod.metadata.uid);
    if (!now) return [`Pod ${pod.metadata.name} was replaced during the run.`];
    return restarts(now) > restarts(pod) ? [`Pod ${pod.metadata.name} was restarted during the run.`] : [];
  });
  return amiss ? [...changed, `After the run the servers were not the planned ones any more: ${amiss}.`] : changed;
}
