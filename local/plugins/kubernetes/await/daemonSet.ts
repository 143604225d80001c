import { isOwnedBy, type KubeObject } from "../object.ts";
import { podReasons } from "./pod.ts";
import { type Rule, selectorText, type Verdict } from "./rule.ts";

export const daemonSet: Rule = {
  timeoutSeconds: 600,
  related: ({ spec }) => [{ apiVersion: "v1", kind: "Pod", query: { labelSelector: selectorText(spec?.selector) } }],
  judge: (object, [pods = []]) => judgeDaemonSet(object, pods),
};

/** Ready when every node that should run a Pod of it runs one of the current revision. */
export function judgeDaemonSet(object: KubeObject, pods: readonly KubeObject[]): Verdict {
  const {
    observedGeneration,
    desiredNumberScheduled: wanted = 0,
    numberReady = 0,
    updatedNumberScheduled = 0,
  } = object.status ?? {};
  const observed = observedGeneration === object.metadata?.generation;
  const updated = object.spec?.updateStrategy?.type === "OnDelete" || updatedNumberScheduled >= wanted;
  if (observed && updated && numberReady >= wanted)
    return { ready: true, status: "DaemonSet initialization complete", reasons: [] };
  const status = `Waiting for DaemonSet to be ready (${numberReady}/${wanted} Pods ready)`;
  return {
    ready: false,
    status,
    reasons: [status, ...pods.filter((pod) => isOwnedBy(pod, object)).flatMap(podReasons)],
  };
}
