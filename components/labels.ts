/** Metadata of an object in a namespace. */
export interface Metadata {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Labels everything of one component carries: what it is, which one, and that it belongs to this program. */
export function labelsOf(component: string, instance: string): Record<string, string> {
  return {
    ...selectorOf(component, instance),
    "app.kubernetes.io/part-of": "inference-stack",
    "app.kubernetes.io/managed-by": "pulumi",
  };
}

/** Those of them that select its pods; they never change. */
export function selectorOf(component: string, instance: string): Record<string, string> {
  return { "app.kubernetes.io/name": component, "app.kubernetes.io/instance": instance };
}

/** The label that names the CPU plan a server pod runs under. */
export const PLAN_LABEL = "inference-stack/plan";

/** The label that names the workload a server pod belongs to. */
export const SET_LABEL = "inference-stack/set";
