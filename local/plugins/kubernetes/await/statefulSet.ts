import { isOwnedBy, type KubeObject } from "../object.ts";
import { podReasons, trouble } from "./pod.ts";
import { type Rule, selectorText, type Verdict } from "./rule.ts";

export const statefulSet: Rule = {
  timeoutSeconds: 600,
  related: ({ spec }) => [{ apiVersion: "v1", kind: "Pod", query: { labelSelector: selectorText(spec?.selector) } }],
  judge: (object, [pods = []]) => judgeStatefulSet(object, pods),
};

/** Ready when all Pods are, each of the revision asked for. */
export function judgeStatefulSet(object: KubeObject, pods: readonly KubeObject[]): Verdict {
  const { observedGeneration, replicas = 0, readyReplicas = 0, currentRevision, updateRevision } = object.status ?? {};
  const wanted: number = object.spec?.replicas ?? 1;
  const observed = observedGeneration === object.metadata?.generation;
  const allReady = observed && readyReplicas === wanted && replicas === wanted;
  const revised = observed && (currentRevision === updateRevision || isHeldBack(object));
  if (allReady && revised) return { ready: true, status: "StatefulSet initialization complete", reasons: [] };

  const isFirst = (object.metadata?.generation ?? 1) <= 1;
  const counts = `(${readyReplicas}/${wanted} Pods ready)`;
  const podComplaints = pods.filter((pod) => isOwnedBy(pod, object)).flatMap(podReasons);
  const step = isFirst
    ? `[1/2] Waiting for StatefulSet to create Pods ${counts}`
    : allReady
      ? "[2/3] Waiting for StatefulSet to update .status.currentRevision"
      : `[1/3] Waiting for StatefulSet update to roll out ${counts}`;
  return {
    ready: false,
    status: trouble(podComplaints) ?? step,
    reasons: [
      ...(allReady ? [] : [`${readyReplicas} out of ${wanted} replicas succeeded readiness checks`]),
      ...(revised
        ? []
        : [
            "StatefulSet controller failed to advance from revision " +
              `"${currentRevision}" to revision "${updateRevision}"`,
          ]),
      ...podComplaints,
    ],
  };
}

/** The user said that Pods keep their revision: nothing to wait for. */
function isHeldBack({ spec }: KubeObject): boolean {
  return spec?.updateStrategy?.type === "OnDelete" || (spec?.updateStrategy?.rollingUpdate?.partition ?? 0) > 0;
}
