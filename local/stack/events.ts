/** What `pulumi preview --json` says of one resource, as far as a reader of the preview wants to know. */
export interface Step {
  /** `create`, `update`, `replace`, `delete`, `same`, ... */
  readonly op: string;
  readonly type: string;
  readonly name: string;
  /** Paths of properties that change. */
  readonly changed: readonly string[];
  /** What the program asks for; secrets are masked. */
  readonly inputs: unknown;
}

export interface Violation {
  readonly policy: string;
  readonly level: "mandatory" | "advisory" | string;
  readonly resource: string;
  readonly message: string;
}

export interface Preview {
  readonly steps: readonly Step[];
  /** How many resources there are by what happens to them. */
  readonly changes: Readonly<Record<string, number>>;
  /** Policies that were asked. */
  readonly policies: readonly string[];
  readonly violations: readonly Violation[];
  /** It came to its end, and nothing stood in the way. */
  readonly succeeded: boolean;
  /** Outputs of the stack; what is only known when it is deployed has no meaning here. */
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

interface Metadata {
  readonly op: string;
  readonly urn: string;
  readonly type: string;
  readonly new: { readonly inputs?: unknown; readonly outputs?: Readonly<Record<string, unknown>> } | null;
  readonly detailedDiff?: Readonly<Record<string, unknown>> | null;
}

interface Event {
  readonly resourcePreEvent?: { readonly metadata: Metadata };
  readonly resOutputsEvent?: { readonly metadata: Metadata };
  readonly policyEvent?: { resourceUrn: string; message: string; policyName: string; enforcementLevel: string };
  readonly policyAnalyzeSummaryEvent?: Passed;
  readonly policyAnalyzeStackSummaryEvent?: Passed;
  readonly diagnosticEvent?: { readonly message: string; readonly severity: string };
  readonly summaryEvent?: { readonly resourceChanges?: Readonly<Record<string, number>>; readonly result?: string };
}
interface Passed {
  readonly passed?: readonly string[];
  readonly failed?: readonly string[];
}

/** Makes the engine print a line of JSON for each of its events. */
export const STREAMING = { PULUMI_ENABLE_STREAMING_JSON_PREVIEW: "true" } as const;

/** Reads what the engine printed; lines that are no events are left out. */
export function parsePreview(text: string): Preview {
  const events = text.split("\n").flatMap((line) => parse(line) ?? []);
  const of = <K extends keyof Event>(key: K) => events.flatMap((event) => event[key] ?? []) as NonNullable<Event[K]>[];
  const policies = [...of("policyAnalyzeSummaryEvent"), ...of("policyAnalyzeStackSummaryEvent")];
  const said = (severity: string) =>
    of("diagnosticEvent").flatMap(({ message, ...each }) => (each.severity === severity ? [message.trim()] : []));
  return {
    steps: of("resourcePreEvent").map(({ metadata }) => stepOf(metadata)),
    changes: of("summaryEvent").at(-1)?.resourceChanges ?? {},
    succeeded: of("summaryEvent").at(-1)?.result === "succeeded",
    policies: [...new Set(policies.flatMap(({ passed = [], failed = [] }) => [...passed, ...failed]))].sort(),
    violations: of("policyEvent").map(({ resourceUrn, message, policyName, enforcementLevel }) => ({
      policy: policyName,
      level: enforcementLevel,
      resource: resourceUrn.split("::").at(-1) ?? "",
      message: message.trim(),
    })),
    outputs:
      of("resOutputsEvent").findLast(({ metadata }) => metadata.type === "pulumi:pulumi:Stack")?.metadata.new
        ?.outputs ?? {},
    errors: said("error"),
    warnings: said("warning"),
  };
}

const stepOf = ({ op, urn, type, detailedDiff, new: state }: Metadata): Step => ({
  op,
  type,
  name: urn.split("::").at(-1) ?? "",
  changed: Object.keys(detailedDiff ?? {}),
  inputs: state?.inputs,
});

function parse(line: string): Event | undefined {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
