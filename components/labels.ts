/** Labels everything of one component carries: what it is, and that it belongs to this program. */
export function labelsOf(component: string): Record<string, string> {
  return {
    "app.kubernetes.io/name": component,
    "app.kubernetes.io/part-of": "inference-stack",
    "app.kubernetes.io/managed-by": "pulumi",
  };
}

/** The label that names the CPU plan a server pod runs under. */
export const PLAN_LABEL = "inference-stack/plan";
