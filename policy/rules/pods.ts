import type { Resource } from "./rule.ts";

/** A pod that a resource asks for, and where its spec is in the resource. */
export interface Pod {
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a PodSpec, checked field by field
  readonly spec: any;
  /** How many pods of it there are; undefined where an autoscaler says. */
  readonly replicas: number | undefined;
}

const withTemplate = new Set(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"]);

/** `kubernetes:apps/v1:StatefulSet` -> `StatefulSet`; undefined for what is no object of Kubernetes. */
export const kindOf = ({ type }: Pick<Resource, "type">): string | undefined =>
  type.startsWith("kubernetes:") ? type.split(":").at(-1) : undefined;

/** All pods a resource asks for, through whichever controller. */
export function podsOf(resource: Resource): Pod[] {
  const { spec } = resource.props;
  const kind = kindOf(resource);
  if (kind === undefined || !spec) return [];
  if (kind === "Pod") return [{ path: "spec", spec, replicas: 1 }];
  if (kind === "CronJob")
    return [{ path: "spec.jobTemplate.spec.template.spec", spec: spec.jobTemplate.spec.template.spec, replicas: 1 }];
  if (withTemplate.has(kind))
    return [{ path: "spec.template.spec", spec: spec.template.spec, replicas: spec.replicas }];
  if (kind === "SeldonDeployment") return seldonPods(spec);
  return [];
}

// biome-ignore lint/suspicious/noExplicitAny: a custom resource
function seldonPods(spec: any): Pod[] {
  return (spec.predictors ?? []).flatMap((predictor: typeof spec, i: number) =>
    (predictor.componentSpecs ?? []).map((component: typeof spec, j: number) => ({
      path: `spec.predictors[${i}].componentSpecs[${j}].spec`,
      spec: component.spec,
      replicas: component.replicas ?? predictor.replicas ?? spec.replicas,
    })),
  );
}

/** Containers of a pod, those that run before included, with their paths in the resource. */
export function containersOf({ path, spec }: Pod) {
  return (["initContainers", "containers", "ephemeralContainers"] as const).flatMap((list) =>
    // biome-ignore lint/suspicious/noExplicitAny: a Container, checked field by field
    (spec[list] ?? []).map((container: any, i: number) => ({ path: `${path}.${list}[${i}]`, container })),
  ) as { readonly path: string; readonly container: Pod["spec"] }[];
}
