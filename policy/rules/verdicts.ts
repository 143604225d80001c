import { kindOf } from "./pods.ts";
import type { Resource, ResourceRule, StackRule } from "./rule.ts";

/** Beyond these a threshold no longer tells a good run from a bad one. */
const bounds: Readonly<Record<string, readonly [least: number, most: number]>> = {
  maxErrorRate: [0, 0.05],
  minRequests: [20, Number.POSITIVE_INFINITY],
  maxDrift: [0, 0.5],
  maxRateError: [0, 0.2],
  maxSlipMs: [0, 100],
  maxSlipShare: [0, 1],
  maxClientBusy: [0, 0.99],
  maxThrottled: [0, 0.5],
};

export const benchmarksWithVerdict: ResourceRule = {
  name: "benchmarks-with-verdict",
  description: "A benchmark has all thresholds of its verdict, none so wide that every run is VALID.",
  level: "mandatory",
  check(resource) {
    const spec = specOf(resource);
    if (spec === undefined) return [];
    const thresholds: Record<string, unknown> = spec?.thresholds ?? {};
    return Object.entries(bounds).flatMap(([name, [least, most]]) => {
      const value = thresholds[name];
      const isWithin = typeof value === "number" && value >= least && value <= most;
      const range = most === Number.POSITIVE_INFINITY ? `at least ${least}` : `from ${least} to ${most}`;
      const found = value === undefined ? "is missing" : `${JSON.stringify(value)} lets everything pass`;
      return isWithin ? [] : [`benchmark.thresholds.${name}: ${found}; it must be ${range}`];
    });
  },
};

export const validResults: StackRule = {
  name: "valid-results",
  description: "What the stack measured last can be trusted.",
  level: "advisory",
  checkStack: (resources) =>
    resources
      .filter(({ type, props }) => type === "pulumi:pulumi:Stack" && props.verdict?.valid === false)
      .map((resource) => ({
        resource,
        message: `The last benchmark is INVALID: ${resource.props.verdict.reasons.join(" ")}`,
      })),
};

/** The experiment is a ConfigMap of its own (benchmarks/spec.ts). */
function specOf(resource: Resource): { thresholds?: Record<string, unknown> } | null | undefined {
  const text = kindOf(resource) === "ConfigMap" ? resource.props.data?.["spec.json"] : undefined;
  if (typeof text !== "string") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
