import { UserError } from "../../../error.ts";
import type { MlperfScenario } from "../../spec.ts";
import { type Plan, Schedule } from "./schedule.ts";

type Scenario = MlperfScenario["scenario"];

/** What MLPerf Inference asks of each scenario, and what it reports. */
export const mlperfRules = {
  SingleStream: {
    minQueries: 1024,
    samplesPerQuery: 1,
    percentile: "p90",
    metric: "90th percentile latency",
    unit: "ms",
  },
  MultiStream: {
    minQueries: 662,
    samplesPerQuery: 8,
    percentile: "p99",
    metric: "99th percentile latency of queries of 8 samples",
    unit: "ms",
  },
  Server: {
    minQueries: 270_336,
    samplesPerQuery: 1,
    percentile: "p99",
    metric: "queries per second with 99 % within the latency bound",
    unit: "queries/s",
  },
  Offline: {
    minQueries: 1,
    samplesPerQuery: 24_576,
    percentile: null,
    metric: "samples per second",
    unit: "samples/s",
  },
} as const satisfies Record<Scenario, unknown>;

/** MLPerf asks for ten minutes of every scenario. */
export const mlperfMinDurationSeconds = 600;

/** A scenario with all its numbers. */
export type Mlperf = MlperfScenario &
  Required<
    Pick<
      MlperfScenario,
      "batch" | "timeoutSeconds" | "minDurationSeconds" | "minQueries" | "samplesPerQuery" | "connections"
    >
  >;

/** Requests of one query. */
export const requestsPerQuery = ({ samplesPerQuery, batch }: Mlperf): number => Math.ceil(samplesPerQuery / batch);

/**
 * Fills in MLPerf's own rules where the load leaves them open.
 *
 * @param connections for the Server and Offline scenarios, where none are given
 * @throws UserError if its numbers do not go together
 */
export function completeMlperf(load: MlperfScenario, timeoutSeconds: number, connections: number): Mlperf {
  const { scenario, batch = 1 } = load;
  const rules = mlperfRules[scenario];
  const single = scenario === "SingleStream" || scenario === "Server";
  const samplesPerQuery = load.samplesPerQuery ?? (single ? batch : rules.samplesPerQuery);
  if (single ? samplesPerQuery !== batch : scenario === "MultiStream" && samplesPerQuery % batch !== 0)
    throw new UserError(
      `MLPerf ${scenario} cannot send queries of ${samplesPerQuery} samples in requests of ${batch}.`,
      single
        ? "Its queries are single requests: samplesPerQuery must be the batch size."
        : "The batch size must divide samplesPerQuery.",
    );
  if (scenario === "Server" && !(load.targetQps! > 0 && load.latencyBoundMs! > 0))
    throw new UserError("MLPerf Server needs targetQps and latencyBoundMs, both above 0.");
  const complete = {
    ...load,
    batch,
    timeoutSeconds,
    minDurationSeconds: load.minDurationSeconds ?? mlperfMinDurationSeconds,
    minQueries: load.minQueries ?? rules.minQueries,
    samplesPerQuery,
  };
  const own = scenario === "SingleStream" || scenario === "MultiStream";
  return { ...complete, connections: load.connections ?? (own ? Math.ceil(samplesPerQuery / batch) : connections) };
}

/** One sentence for each of MLPerf's rules that the load does not keep. */
export function overridden(load: Mlperf): string[] {
  const { scenario, minDurationSeconds, minQueries, samplesPerQuery } = load;
  const rules = mlperfRules[scenario];
  const differs =
    scenario === "Offline" ? samplesPerQuery < rules.samplesPerQuery : samplesPerQuery !== rules.samplesPerQuery;
  return [
    minDurationSeconds < mlperfMinDurationSeconds &&
      `${minDurationSeconds} s were asked for; MLPerf ${scenario} takes at least ${mlperfMinDurationSeconds} s.`,
    minQueries < rules.minQueries &&
      `${minQueries} queries were asked for; MLPerf ${scenario} takes at least ${rules.minQueries}.`,
    differs &&
      `Queries had ${samplesPerQuery} samples; those of MLPerf ${scenario} have ${scenario === "Offline" ? "at least " : ""}${rules.samplesPerQuery}.`,
  ].filter((sentence) => sentence !== false);
}

/** The Server scenario: Poisson arrivals until both its minimums are reached. */
export function serverPlan({
  targetQps = 0,
  minDurationSeconds = mlperfMinDurationSeconds,
  minQueries = mlperfRules.Server.minQueries,
  seed,
}: MlperfScenario): Plan {
  const endless = { from: 0, until: Number.POSITIVE_INFINITY, startRate: targetQps, endRate: targetQps };
  const schedule = new Schedule({ arrivals: "poisson", seed, pieces: [endless] });
  while (schedule.index < minQueries - 1) schedule.advance();
  const until = Math.max(minDurationSeconds * 1000, minQueries > 0 ? schedule.next + 0.001 : 0);
  return { arrivals: "poisson", seed, pieces: [{ ...endless, until }] };
}
