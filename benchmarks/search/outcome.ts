import { existsSync, readFileSync } from "node:fs";
import { UserError } from "../../error.ts";
import { type Settings, writeWhole } from "../sweep/store.ts";
import type { Capacity, Tried } from "./capacity.ts";
import type { Candidate } from "./objective.ts";

export const SEARCH_FORMAT = "inference-stack/search-1";
export const WINNER_FORMAT = "inference-stack/winner-1";

/** A rate, in requests per second, and its runs. */
export interface RateTried extends Omit<Tried, "seen"> {
  /** Keys of their results. */
  readonly results: readonly string[];
  readonly latenciesMs: readonly (number | null)[];
}

/** One configuration and what the search found of it. */
export interface Searched {
  readonly settings: Settings;
  /** Interval of the highest rate that keeps the latency, in requests per second; null where it is open. */
  readonly capacity: Pick<Capacity, "low" | "high" | "estimate">;
  readonly tried: readonly RateTried[];
  /** What its fresh runs did; null: it has no winner. */
  readonly winner: (Candidate & { readonly rate: number; readonly results: readonly string[] }) | null;
  /** Share of the throughput of saturated servers that the winner asks of them; null where no run saturated them. */
  readonly utilization: number | null;
  /** Model servers per node. */
  readonly instances: number;
  readonly runs: number;
  readonly notes: readonly string[];
}

export type Percentile = "p50" | "p90" | "p95" | "p99" | "p999";

/** A percentile of the latency, and what it may be at most, in milliseconds. */
export interface Slo {
  readonly percentile: Percentile;
  readonly latency: number;
}

/** What a search found. */
export interface Outcome {
  readonly format: typeof SEARCH_FORMAT;
  /** Equal for searches that ask the same of the same. */
  readonly key: string;
  readonly stack: string;
  readonly endedAt: string;
  /** Config of the search. */
  readonly request: { readonly slo: Slo };
  readonly searched: readonly Searched[];
  /** Positions in `searched` of the configurations that none other beats in everything. */
  readonly pareto: readonly number[];
  /** Position in `searched` of the best; null: there is none. */
  readonly best: number | null;
}

/** The best of a search, for stacks that are to have its values. */
export interface Winner {
  readonly format: typeof WINNER_FORMAT;
  readonly stack: string;
  readonly endedAt: string;
  readonly settings: Settings;
  /** That of its fresh runs. */
  readonly verdict: { readonly valid: boolean; readonly reasons: readonly string[] };
  readonly rate: number;
  readonly inferencesPerSecond: number;
  readonly latencyMs: number;
  /** Model servers per node. */
  readonly instances: number;
  /** As in `Searched`. */
  readonly utilization: number | null;
}

/** The winner that a search hands on. A search that found none leaves that of the one before in its place. */
export function winnerOf({ stack, endedAt, searched, best }: Outcome): Winner | undefined {
  const found = best === null ? undefined : searched[best];
  if (!found?.winner) return undefined;
  const { settings, instances, utilization, winner } = found;
  const { rate, inferencesPerSecond, latencyMs } = winner;
  const verdict = { valid: true, reasons: [] }; // of INVALID runs there is no winner
  return {
    format: WINNER_FORMAT,
    stack,
    endedAt,
    settings,
    verdict,
    rate,
    inferencesPerSecond,
    latencyMs,
    instances,
    utilization,
  };
}

export const writeOutcome = (file: string, outcome: Outcome | Winner): void =>
  writeWhole(file, `${JSON.stringify(outcome, null, 2)}\n`);

export const isOutcome = (value: unknown): value is Outcome =>
  (value as Partial<Outcome> | null | undefined)?.format === SEARCH_FORMAT;

/** @returns undefined if the file is not there, or is none */
export function readOutcome(file: string): Outcome | undefined {
  const value = existsSync(file) ? parse(readFileSync(file, "utf8")) : undefined;
  return isOutcome(value) ? value : undefined;
}

/** @throws UserError if the file is no winner */
export function readWinner(file: string): Winner {
  const value = parse(readFileSync(file, "utf8")) as Partial<Winner> | null | undefined;
  const { format, instances, utilization, verdict } = value ?? {};
  const isWinner =
    format === WINNER_FORMAT &&
    Number.isInteger(instances) &&
    (utilization === null || typeof utilization === "number") &&
    typeof verdict?.valid === "boolean" &&
    Array.isArray(verdict.reasons);
  if (isWinner) return value as Winner;
  throw new UserError(`${file} is not the winner of a search (format ${WINNER_FORMAT}); \`npm run search\` writes one`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
