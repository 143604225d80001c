import { annotation, condition, isOwnedBy, isTrue, type KubeObject } from "../object.ts";
import { podReasons, trouble } from "./pod.ts";
import { type Rule, selectorText, type Verdict } from "./rule.ts";

const revision = "deployment.kubernetes.io/revision";

export const deployment: Rule = {
  timeoutSeconds: 600,
  related: ({ spec }) => {
    const query = { labelSelector: selectorText(spec?.selector) };
    return [
      { apiVersion: "apps/v1", kind: "ReplicaSet", query },
      { apiVersion: "v1", kind: "Pod", query },
    ];
  },
  judge: (object, [replicaSets = [], pods = []]) => judgeDeployment(object, replicaSets, pods),
};

/** Ready when the ReplicaSet of the current revision has all its Pods ready. Pods of older revisions may still be going. */
export function judgeDeployment(
  object: KubeObject,
  replicaSets: readonly KubeObject[],
  pods: readonly KubeObject[],
): Verdict {
  const current = replicaSets.find(
    (set) =>
      isOwnedBy(set, object) &&
      annotation(set, revision) !== undefined &&
      annotation(set, revision) === annotation(object, revision),
  );
  const wanted: number = current?.spec?.replicas ?? object.spec?.replicas ?? 1;
  const ready: number = current?.status?.readyReplicas ?? 0;
  const observed = object.status?.observedGeneration === object.metadata?.generation;
  const available = isTrue(object, "Available");
  // A change of template and scale at once is first only scaled: then no ReplicaSet has the new template yet.
  const updated = (object.status?.updatedReplicas ?? 0) >= wanted;
  const rolledOut = observed && current !== undefined && updated && ready >= wanted;
  if (rolledOut && available && isProgressed(object))
    return { ready: true, status: "Deployment initialization complete", reasons: [] };

  const complaints = ["Progressing", "Available"]
    .map((type) => condition(object, type))
    .filter((c) => c?.status === "False" && c.reason && c.message)
    .map((c) => `[${c!.reason}] ${c!.message}`);
  const shortage = !available
    ? ["Minimum number of live Pods was not attained"]
    : !rolledOut
      ? ["Minimum number of Pods to consider the application live was not attained"]
      : [];
  const podComplaints = pods.filter((pod) => isOwnedBy(pod, current)).flatMap(podReasons);
  return {
    ready: false,
    status: trouble(podComplaints) ?? `Waiting for app ReplicaSet to be available (${ready}/${wanted} Pods available)`,
    reasons: [...complaints, ...shortage, ...podComplaints],
  };
}

/** A paused Deployment, or one without a deadline, reports no progress; then the counts alone decide. */
function isProgressed(object: KubeObject): boolean {
  const progressing = condition(object, "Progressing");
  if (!progressing || object.spec?.paused) return true;
  return progressing.status === "True" && progressing.reason === "NewReplicaSetAvailable";
}
