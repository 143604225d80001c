import type { KubeObject } from "../object.ts";

/** Other objects a rule looks at: those of a kind in the same namespace that match the query. */
export interface Related {
  readonly apiVersion: string;
  readonly kind: string;
  readonly query: Record<string, string>;
}

/** What a rule thinks of an object at one moment. */
export interface Verdict {
  readonly ready: boolean;
  /** It will never become ready. */
  readonly failed?: boolean;
  /** One line for the progress display. */
  readonly status: string;
  /** Why it is not ready, for the error message if waiting ends here. */
  readonly reasons: readonly string[];
  /** While this changes, a ready object is not taken for ready yet (see `settleMs`). */
  readonly fingerprint?: string;
}

/** When an object of one kind does what it is there for. A pure judgement of what the cluster shows. */
export interface Rule {
  /** Default bound on waiting, in seconds. */
  readonly timeoutSeconds: number;
  /** How long the fingerprint must stand still before the object counts as ready. @default 0 */
  readonly settleMs?: number;
  /** Keep reasons that have gone again, because they explain the failure. @default false */
  readonly remembers?: boolean;
  related?(object: KubeObject): readonly Related[];
  /** @param related the lists `related` asked for, in its order */
  judge(object: KubeObject, related: readonly (readonly KubeObject[])[]): Verdict;
}

/** A label selector as the API takes it in a query. */
export function selectorText(selector: KubeObject["spec"]): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector?.matchExpressions ?? []).map(
    ({ key, operator, values = [] }: { key: string; operator: string; values?: string[] }) => {
      switch (operator) {
        case "Exists":
          return key;
        case "DoesNotExist":
          return `!${key}`;
        default:
          return `${key} ${operator === "NotIn" ? "notin" : "in"} (${values.join(",")})`;
      }
    },
  );
  return [...labels, ...expressions].join(",");
}
