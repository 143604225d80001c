import type { Result } from "../../benchmarks/result.ts";
import type { TrainingResult } from "../../benchmarks/training/result.ts";
import type { LocustPage } from "../../components/load/locust.ts";

/** Of the stack's outputs, what is measured or offered beside the benchmark. */
export interface FurtherOutputs {
  readonly training?: TrainingResult | null;
  readonly locust?: LocustPage | { readonly result: Result } | null;
}

/** How the training went and what Locust measured, or where its page is; empty without either. */
export function furtherSummary({ training, locust }: FurtherOutputs): string {
  return [...(training ? trainingLines(training) : []), ...(locust ? locustLines(locust) : [])].join("\n");
}

function trainingLines({ requested, throughput, workers, verdict }: TrainingResult): string[] {
  const { model, imageSize, batch, steps, ps } = requested;
  const rate = (value: number | null) => (value === null ? "nothing" : `${value.toFixed(1)} images/s`);
  return [
    "Training",
    `  ${model}, images of ${imageSize} x ${imageSize}, batch ${batch}, ${steps} steps of each of ${workers.length} workers, parameter servers: ${ps}`,
    `  throughput   ${rate(throughput.imagesPerSecond)}`,
    ...workers.map(({ pod, imagesPerSecond }) => `  ${pod}  ${rate(imagesPerSecond)}`),
    ...verdictLines(verdict),
    "",
  ];
}

function locustLines(locust: NonNullable<FurtherOutputs["locust"]>): string[] {
  if (!("result" in locust)) {
    const { namespace, service, port, user, secretName } = locust;
    return [
      "Locust",
      `  npm run kubectl -- port-forward -n ${namespace} service/${service} ${port}    then open port ${port} of localhost, as ${user}`,
      `  its password is in Secret ${secretName} (docs/locust.md)`,
      "",
    ];
  }
  const { throughput, latencyMs, errors, counts, correctness, verdict } = locust.result;
  const ms = (value: number | null) => (value === null ? "too few samples" : `${Math.round(value)} ms`);
  return [
    "Locust",
    `  throughput   ${throughput.requestsPerSecond.toFixed(1)} right answers/s`,
    `  latency      p50 ${ms(latencyMs.p50)}   p99 ${ms(latencyMs.p99)}   (rounded by Locust)`,
    `  failures     ${errors.total} of ${counts.sent} requests, ${correctness.wrong} of them wrong answers`,
    ...verdictLines(verdict),
    "",
  ];
}

const verdictLines = ({ valid, reasons }: Result["verdict"]): string[] => [
  `  verdict      ${valid ? "VALID" : "INVALID"}`,
  ...reasons.map((reason) => `               - ${reason}`),
];
