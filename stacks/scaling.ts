import type { BenchmarkArgs } from "../benchmarks/benchmark.ts";
import { millicores } from "./combinations.ts";
import type { Config } from "./schema.ts";

/**
 * What the benchmark has to know of the autoscaler; nothing where there is none. The config must be free of `combinationProblems`.
 *
 * @param nodes that serve, each with an autoscaler of its own
 */
export function scalingOf({ autoscaling, metricsServer, benchmark }: Config, nodes: number): BenchmarkArgs["scaling"] {
  const { enabled, max, averageUtilization, resourceLimiting, stabilization } = autoscaling;
  if (!enabled) return undefined;
  const { p99Ms, window: windowSeconds } = benchmark.slo;
  return {
    max: max * nodes,
    slo: { p99Ms, windowSeconds },
    coresPerServer: millicores(resourceLimiting!) / 1000,
    autoscaler: {
      averageUtilization,
      stabilization,
      ...(metricsServer.enabled ? { metricsResolution: metricsServer.resolution } : {}),
    },
  };
}
