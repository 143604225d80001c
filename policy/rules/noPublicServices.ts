import { kindOf } from "./pods.ts";
import type { Resource, ResourceRule } from "./rule.ts";

export const noPublicServices: ResourceRule = {
  name: "no-public-services",
  description:
    "Nothing is reached from outside the cluster: no load balancers, node ports, external addresses or Ingresses.",
  level: "mandatory",
  check(resource) {
    const kind = kindOf(resource);
    if (kind === "Ingress") return ["An Ingress opens a Service to the outside."];
    return kind === "Service" ? serviceProblems(resource) : [];
  },
};

function serviceProblems({ props: { spec = {} } }: Resource): string[] {
  const { type = "ClusterIP", externalIPs = [] } = spec;
  const opens = type === "LoadBalancer" || type === "NodePort";
  return [
    ...(opens ? [`spec.type: ${type} listens outside the cluster; ClusterIP and a port-forward do not`] : []),
    ...(externalIPs.length > 0
      ? [`spec.externalIPs: ${externalIPs.join(", ")} are reached from outside; leave it out`]
      : []),
  ];
}
