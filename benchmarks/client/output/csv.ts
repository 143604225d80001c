import type { Result, Timing } from "../../result.ts";

const timingNames = ["mean", "p50", "p90", "p95", "p99", "p999", "max"] as const satisfies (keyof Timing)[];

/** The columns, named as the fields of the result. */
export const columns = [
  "segment",
  "startSeconds",
  "durationSeconds",
  "requestedRate",
  "sent",
  "answered",
  "failed",
  "sentPerSecond",
  "inferencesPerSecond",
  ...timingNames.map((name) => `latencyMs.${name}`),
  ...timingNames.map((name) => `slipMs.${name}`),
  "valid",
] as const;

type Row = Record<(typeof columns)[number], string | number | boolean | null>;

/**
 * A header line, one line for each segment and one for the total (`segment` is `total`). Empty where there is no value: the
 * result has `inferencesPerSecond` and `valid` of the whole only, and a closed loop has no `requestedRate`.
 */
export function csv(result: Result): string {
  const { segments, counts, load, throughput, verdict } = result;
  const rows: Row[] = segments.map(({ latencyMs, slipMs, ...segment }, i) => ({
    segment: i + 1,
    ...segment,
    inferencesPerSecond: null,
    ...timings(latencyMs, slipMs),
    valid: null,
  }));
  rows.push({
    segment: "total",
    startSeconds: 0,
    durationSeconds: load.achieved.durationSeconds,
    requestedRate: load.schedule?.requestsPerSecond ?? null,
    sent: counts.sent,
    answered: counts.answered,
    failed: counts.failed,
    sentPerSecond: load.achieved.sentPerSecond,
    inferencesPerSecond: throughput.inferencesPerSecond,
    ...timings(result.latencyMs, result.slipMs),
    valid: verdict.valid,
  });
  const lines = rows.map((row) => columns.map((column) => row[column] ?? "").join(","));
  return `${[columns.join(","), ...lines].join("\n")}\n`;
}

function timings(latency: Timing, slip: Timing) {
  const named = (prefix: string, timing: Timing) => timingNames.map((name) => [`${prefix}.${name}`, timing[name]]);
  return Object.fromEntries([...named("latencyMs", latency), ...named("slipMs", slip)]) as Pick<
    Row,
    `latencyMs.${keyof Timing}` | `slipMs.${keyof Timing}`
  >;
}
