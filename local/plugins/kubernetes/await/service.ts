import type { KubeObject } from "../object.ts";
import type { Rule, Verdict } from "./rule.ts";

const noPods =
  "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match labels on any Pods";
const noAddress = "Service was not allocated an IP address; does your cloud provider support this?";

export const service: Rule = {
  timeoutSeconds: 600,
  // The official provider waits 10 s for stragglers; on one node they come within a second.
  settleMs: 1_000,
  related: ({ metadata, spec }) =>
    needsPods(spec)
      ? [
          {
            apiVersion: "discovery.k8s.io/v1",
            kind: "EndpointSlice",
            query: { labelSelector: `kubernetes.io/service-name=${metadata?.name}` },
          },
        ]
      : [],
  judge: (object, [slices = []]) => judgeService(object, slices),
};

/** Ready when traffic to it reaches some Pod and, for a load balancer, it has an address outside. */
export function judgeService(object: KubeObject, slices: readonly KubeObject[]): Verdict {
  const addresses = slices.flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter((e: KubeObject) => e.conditions?.ready !== false)
      .flatMap((e: KubeObject) => e.addresses ?? []),
  );
  const hasPods = !needsPods(object.spec) || addresses.length > 0;
  const hasAddress = object.spec?.type !== "LoadBalancer" || (object.status?.loadBalancer?.ingress ?? []).length > 0;
  const fingerprint = needsPods(object.spec) ? addresses.sort().join() : undefined;
  if (hasPods && hasAddress)
    return { ready: true, status: "Service initialization complete", reasons: [], fingerprint };
  return {
    ready: false,
    status: hasPods ? "[2/3] Attempting to allocate IP address to Service" : "[1/3] Finding Pods to direct traffic to",
    reasons: [...(hasPods ? [] : [noPods]), ...(hasAddress ? [] : [noAddress])],
    fingerprint,
  };
}

/** A headless Service may be there before its Pods (StatefulSets need it so); one without a selector has none of its own. */
function needsPods(spec: KubeObject["spec"]): boolean {
  return spec?.clusterIP !== "None" && spec?.type !== "ExternalName" && Object.keys(spec?.selector ?? {}).length > 0;
}
