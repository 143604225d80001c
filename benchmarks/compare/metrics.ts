import type { Result } from "../result.ts";

/** A figure of a run in which sides are compared. */
export interface Metric {
  readonly metric: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly of: (result: Result) => number | null;
}

const throughput: Metric = {
  metric: "throughput",
  unit: "inferences/s",
  better: "higher",
  of: (result) => result.throughput.inferencesPerSecond,
};
const p50: Metric = { metric: "latency p50", unit: "ms", better: "lower", of: (result) => result.latencyMs.p50 };
const p99: Metric = { metric: "latency p99", unit: "ms", better: "lower", of: (result) => result.latencyMs.p99 };

/**
 * The figures in which a load shows how fast the servers are. Few, because each takes its part of the false alarms: a closed loop's
 * median follows from its throughput, and an open loop's throughput is the rate that was asked for.
 */
export function metricsOf({ load, mlperf }: Pick<Result, "load" | "mlperf">): readonly Metric[] {
  if (load.requested.mode === "open") return [p50, p99];
  if (load.requested.mode === "closed") return [throughput, p99];
  const { metric = "metric", unit = "ms" } = mlperf ?? {};
  return [{ metric, unit, better: unit === "ms" ? "lower" : "higher", of: (result) => result.mlperf?.value ?? null }];
}
