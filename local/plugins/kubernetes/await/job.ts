import { condition, displayName, isOwnedBy, isTrue, type KubeObject } from "../object.ts";
import { podReasons } from "./pod.ts";
import type { Rule, Verdict } from "./rule.ts";

export const job: Rule = {
  timeoutSeconds: 600,
  remembers: true,
  related: ({ metadata }) => [
    { apiVersion: "v1", kind: "Pod", query: { labelSelector: `batch.kubernetes.io/job-name=${metadata?.name}` } },
  ],
  judge: (object, [pods = []]) => judgeJob(object, pods),
};

/** A Job is there to succeed once. */
export function judgeJob(object: KubeObject, pods: readonly KubeObject[]): Verdict {
  const { active = 0, succeeded = 0, failed = 0, startTime } = object.status ?? {};
  if (isTrue(object, "Complete")) return { ready: true, status: "", reasons: [] };
  const reasons = pods.filter((pod) => isOwnedBy(pod, object)).flatMap(podReasons);
  const failure = condition(object, "Failed");
  const name = displayName(object);
  if (failure?.status === "True") {
    const why = `[${failure.reason}] ${failure.message}`;
    return { ready: false, failed: true, status: why, reasons: [...reasons, why] };
  }
  if (!startTime) return { ready: false, status: `Waiting for Job "${name}" to start`, reasons };
  const counts = `Active: ${active} | Succeeded: ${succeeded} | Failed: ${failed}`;
  return { ready: false, status: `Waiting for Job "${name}" to succeed (${counts})`, reasons };
}
