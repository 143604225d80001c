import { condition, displayName, isTrue, type KubeObject } from "../object.ts";
import type { Rule, Verdict } from "./rule.ts";

export const pod: Rule = { timeoutSeconds: 600, judge: (object) => judgePod(object) };

export function judgePod(object: KubeObject): Verdict {
  const waiting = (what: string) => `Waiting for Pod "${displayName(object)}" to be ${what}`;
  const reasons = podReasons(object);
  if (!isTrue(object, "PodScheduled"))
    return { ready: false, status: trouble(reasons) ?? waiting("scheduled"), reasons };
  if (!isTrue(object, "Initialized") && object.status?.phase !== "Succeeded")
    return { ready: false, status: trouble(reasons) ?? waiting("initialized"), reasons };
  if (isTrue(object, "Ready") || object.status?.phase === "Succeeded") return { ready: true, status: "", reasons: [] };
  return { ready: false, status: trouble(reasons) ?? waiting("ready"), reasons };
}

/** Why a Pod is not ready, in the words of its conditions and containers; empty when there is nothing to complain of. */
export function podReasons(object: KubeObject): string[] {
  if (object.metadata?.deletionTimestamp) return []; // it is meant to end
  const name = displayName(object);
  const scheduled = condition(object, "PodScheduled");
  if (scheduled && scheduled.status !== "True") return scheduled.message ? [`[Pod ${name}]: ${scheduled.message}`] : [];
  if (isTrue(object, "Ready") || object.status?.phase === "Succeeded") return [];
  const at = isTrue(object, "Initialized") ? condition(object, "Ready") : condition(object, "Initialized");
  if (!at) return [];
  const containers = [
    ...(object.status?.initContainerStatuses ?? []),
    ...(object.status?.containerStatuses ?? []),
  ].flatMap(containerReasons);
  const message = at.reason && at.message ? at.message : "";
  return message || containers.length > 0 ? [`[Pod ${name}]: ${message}${containers.join("\n")}`] : [];
}

/** The first trouble that will not pass by itself as a start-up does, to show while waiting. */
export const trouble = (reasons: readonly string[]): string | undefined =>
  reasons.find((reason) => !/^\[Pod [^\]]*\]: containers with unready status: \[[^\]]*\]$/.test(reason));

interface ContainerStatus {
  name: string;
  ready?: boolean;
  state?: { waiting?: ContainerState; terminated?: ContainerState; running?: object };
  lastState?: { terminated?: ContainerState };
}
interface ContainerState {
  reason?: string;
  message?: string;
  exitCode?: number;
  finishedAt?: string;
}

function containerReasons({ name, ready, state, lastState }: ContainerStatus): string[] {
  const { waiting, terminated } = state ?? {};
  if (ready || (terminated && terminated.exitCode === 0)) return [];
  const reasons: string[] = [];
  if (waiting?.reason && !["ContainerCreating", "PodInitializing"].includes(waiting.reason))
    reasons.push(`[${waiting.reason}] ${waiting.message ?? ""}`.trimEnd());
  if (terminated?.reason)
    reasons.push(
      terminated.message
        ? `[${terminated.reason}] ${terminated.message}`
        : `container "${name}" completed with exit code ${terminated.exitCode}`,
    );
  const last = lastState?.terminated;
  if (last)
    reasons.push(
      `container "${name}" terminated at ${last.finishedAt} (${last.reason}: exit code ${last.exitCode})${last.message ? `\n${last.message}` : ""}`,
    );
  return reasons;
}
