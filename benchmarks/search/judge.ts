import jStat from "jstat";

/** What repeated runs at one rate have shown. */
export type Judgement = "keeps" | "misses" | "undecided";

/** One run at one rate. */
export interface Observation {
  /** The latency that the objective is about, in milliseconds; null where there were too few samples for it. */
  readonly latencyMs: number | null;
  /** Why the run cannot be trusted; absent for a VALID one. */
  readonly invalid?: string;
  /** It is INVALID and fewer requests were answered than came: the servers could not follow. */
  readonly isOverloaded?: boolean;
}

export interface JudgeOptions {
  /** The latency to keep, in milliseconds. */
  readonly latencyMs: number;
  /** Most VALID runs at one rate. */
  readonly runs: number;
  /** How many more INVALID runs than VALID ones are put up with at one rate; with one more, the rate is not kept. */
  readonly retries: number;
  /** Probability with which a judgement at one rate is right. */
  readonly confidence: number;
}

/** Logarithms of the latencies of the runs that can be trusted. */
export const logsOf = (seen: readonly Observation[]): number[] =>
  seen.flatMap(({ latencyMs, invalid }) => (invalid !== undefined || latencyMs === null ? [] : [Math.log(latencyMs)]));

/** A spread of nothing would decide on two equal runs. */
const LEAST_SPREAD = 0.005;

/**
 * Whether a rate keeps the latency. Latencies vary by a factor, so their logarithms are compared, by Student's t: with the spread of
 * all runs so far, or of this rate's own where that is larger. Every look at the same rate has its part of the permitted error, so
 * looking after each run is no way to be lucky.
 *
 * @param seen runs at this rate
 * @param all runs at every rate, each rate's in one list, this one's among them
 */
export function judge(
  seen: readonly Observation[],
  all: readonly (readonly Observation[])[],
  { latencyMs, runs, retries, confidence }: JudgeOptions,
): Judgement {
  const logs = logsOf(seen);
  const overloaded = seen.filter(({ isOverloaded }) => isOverloaded).length;
  if (overloaded > 1 || seen.length - 2 * logs.length > retries) return "misses";
  if (logs.length < 2) return "undecided";
  const pooled = spreadOf(all.map(logsOf));
  const spread = Math.max(LEAST_SPREAD, pooled.spread, spreadOf([logs]).spread);
  const distance = (mean(logs) - Math.log(latencyMs)) / (spread / Math.sqrt(logs.length));
  const wanted = jStat.studentt.inv(1 - (1 - confidence) / 2 / looks(runs), pooled.freedom);
  if (Math.abs(distance) < wanted) return "undecided";
  return distance < 0 ? "keeps" : "misses";
}

/** Looks at one rate: after the second run and after each further one. */
const looks = (runs: number) => Math.max(1, runs - 1);

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Standard deviation within groups, and its degrees of freedom. */
function spreadOf(groups: readonly (readonly number[])[]): { spread: number; freedom: number } {
  const freedom = groups.reduce((sum, group) => sum + Math.max(0, group.length - 1), 0);
  const squares = groups.reduce((sum, group) => {
    const centre = mean(group);
    return sum + group.reduce((inner, value) => inner + (value - centre) ** 2, 0);
  }, 0);
  return { spread: freedom === 0 ? 0 : Math.sqrt(squares / freedom), freedom };
}
