import type { Result } from "../result.ts";
import type { Settings } from "../sweep/store.ts";
import { type CapacityRequest, findCapacity } from "./capacity.ts";
import type { Observation } from "./judge.ts";
import {
  type Candidate,
  type Constraints,
  candidateOf,
  type Objective,
  type Occupied,
  type Prices,
  paretoOf,
  ranked,
  type Watts,
} from "./objective.ts";
import type { Percentile, Searched } from "./outcome.ts";

export interface SearchRequest extends CapacityRequest {
  readonly percentile: Percentile;
  readonly objective: Objective;
  readonly constraints: Constraints;
  readonly prices: Prices;
  readonly watts: Watts;
}

/** One run, as the search looks at it. */
export interface SeenRun extends Observation {
  readonly result: Result;
}

/** The part of the requests that has to be answered in time, or the servers could not follow. */
const FOLLOWED = 0.97;

export function observationOf(result: Result, percentile: Percentile): SeenRun {
  const { verdict, latencyMs, throughput, load } = result;
  const asked = load.schedule?.requestsPerSecond ?? 0;
  const latency = latencyMs[percentile];
  if (verdict.valid) return { latencyMs: latency, result };
  const isOverloaded = throughput.requestsPerSecond < FOLLOWED * asked;
  return { latencyMs: latency, invalid: verdict.reasons.join(" "), isOverloaded, result };
}

/** Searches one configuration. @param measure makes one run of it at a rate */
export async function searchOne(
  {
    settings,
    occupied,
    instances,
  }: { readonly settings: Settings; readonly occupied: Occupied; readonly instances: number },
  request: SearchRequest,
  measure: (rate: number, isFresh: boolean) => Promise<Result>,
): Promise<Searched> {
  const all: SeenRun[] = [];
  const capacity = await findCapacity(request, async (rate, isFresh) => {
    const seen = observationOf(await measure(rate, isFresh), request.percentile);
    all.push(seen);
    return seen;
  });
  const { low, high, estimate, tried, winner, runs, notes } = capacity;
  const saturated = all
    .filter(({ isOverloaded }) => isOverloaded)
    .map(({ result }) => result.throughput.requestsPerSecond);
  const fresh = winner?.runs.map(({ result }) => result) ?? [];
  const mean = (of: (result: Result) => number) => fresh.reduce((sum, result) => sum + of(result), 0) / fresh.length;
  const measured = {
    inferencesPerSecond: mean(({ throughput }) => throughput.inferencesPerSecond),
    latencyMs: mean(({ latencyMs }) => latencyMs[request.percentile] ?? Number.NaN),
  };
  return {
    settings,
    instances,
    capacity: { low, high, estimate },
    tried: tried.map(({ rate, judgement, seen }) => ({
      rate,
      judgement,
      results: seen.map(({ result }) => result.key),
      latenciesMs: seen.map(({ latencyMs }) => latencyMs),
    })),
    winner: winner && {
      ...candidateOf(measured, occupied, request.prices, request.watts),
      rate: winner.rate,
      results: fresh.map(({ key }) => key),
    },
    utilization:
      winner && saturated.length > 0
        ? Math.min(1, mean(({ throughput }) => throughput.requestsPerSecond) / Math.max(...saturated))
        : null,
    runs,
    notes,
  };
}

/** Positions of the best, and of those that none other beats in everything. */
export function judgeAll(searched: readonly Searched[], { objective, constraints }: SearchRequest) {
  const candidates = searched.flatMap(({ winner }, index): (Candidate & { index: number })[] =>
    winner ? [{ ...winner, index }] : [],
  );
  return {
    best: ranked(candidates, objective, constraints)[0]?.index ?? null,
    pareto: paretoOf(candidates).map(({ index }) => index),
  };
}
