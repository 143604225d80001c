import type { Result } from "../result.ts";
import { planOf } from "./pacer.ts";
import { type Piece, rateAt } from "./pacers/schedule.ts";

/** Neighbours depend on each other, so they are put together in this many groups before the trend is judged. */
const groups = 10;
/** Fewer bins than that say nothing about a trend. */
const minBins = 2 * groups;
/** Student's t of the slope. With 8 degrees of freedom pure chance gets there in 2 of 1000 runs. */
const significant = 4;
/** In a ramp the queue grows only from where the servers are full, so a line fits worse. */
const significantInRamp = 2;
/** Growth over the piece, in requests, below which nobody waits longer in a way that matters. */
const minGrowth = 5;
/** Growth relative to the first third: at a constant rate, and in a ramp, where a queue may well double. */
const maxGrowth = 0.25;
const maxGrowthInRamp = 1;

/**
 * Whether the queue of an open loop grew over the run: then latency is a measure of how long the run was, not of the server.
 *
 * A server that keeps up has as many requests in flight at the end of a piece of constant rate as at its beginning, give or
 * take its fluctuations; one that does not has more by the difference of the two rates times the time. So the number of
 * requests in flight at the end of each bin is put into ten groups by time (long beside the time in which a queue forgets),
 * and a line is laid through the groups' means. The queue grew if the line's slope is far outside its own scatter (Student's
 * t above 4), and its growth matters: at least 5 requests and a quarter of what there was in the first third. The second
 * condition keeps a queue that fluctuates about a few requests from ever counting; the first keeps a large one that wanders
 * from it. In a ramp, requests in flight per rate are judged: they may double, and t need only be above 2.
 *
 * @returns one sentence for each piece of the schedule in which it grew
 */
export function growth(facts: Pick<Result, "load" | "events" | "series">): string[] {
  const changes = facts.events.map(({ atSeconds, rate }) => ({ at: Math.round(atSeconds * 1e6) / 1000, rate }));
  const plan = planOf(facts.load.requested, changes);
  if (!plan) return [];
  return plan.pieces.flatMap((piece) => {
    const trend = trendIn(piece, facts.series);
    if (!trend) return [];
    const where = plan.pieces.length > 1 ? ` from ${seconds(piece.from)} to ${seconds(piece.until)} s` : "";
    return [
      `The queue grew${where}: requests in flight rose from about ${trend.first.toFixed(0)} to ${trend.last.toFixed(0)}. The servers do not keep up with ${Number(piece.endRate.toPrecision(4))} requests/s.`,
    ];
  });
}

const seconds = (ms: number): string => String(Number((ms / 1000).toFixed(2)));

/** Means of the first and the last third, if there is a trend between them that counts. */
function trendIn(piece: Piece, series: Result["series"]): { first: number; last: number } | undefined {
  const inside = series
    .map(({ startSeconds, durationSeconds, inFlight }) => ({ at: (startSeconds + durationSeconds) * 1000, inFlight }))
    .filter(({ at }) => at > piece.from && at <= piece.until + 0.001)
    .map(({ at, inFlight }) => ({ rate: rateAt(piece, at), inFlight }))
    .filter(({ rate }) => rate >= piece.endRate / 10 && rate > 0);
  if (inside.length < minBins) return undefined;
  const values = inside.map(({ rate, inFlight }) => (inFlight * piece.endRate) / rate);
  const means = Array.from({ length: groups }, (_, i) =>
    mean(values.slice(Math.floor((i * values.length) / groups), Math.floor(((i + 1) * values.length) / groups))),
  );
  const { slope, error } = line(means);
  const grown = slope * groups;
  const third = Math.floor(inside.length / 3);
  const first = mean(values.slice(0, third));
  const ramp = piece.startRate !== piece.endRate;
  if (grown < Math.max(minGrowth, (ramp ? maxGrowthInRamp : maxGrowth) * first)) return undefined;
  if (slope < (ramp ? significantInRamp : significant) * error) return undefined;
  return { first, last: mean(values.slice(-third)) };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Least squares through values at equal distances: slope per step and its standard error. */
function line(values: readonly number[]): { slope: number; error: number } {
  const n = values.length;
  const middle = (n - 1) / 2;
  const average = mean(values);
  let spread = 0;
  let together = 0;
  values.forEach((value, i) => {
    spread += (i - middle) ** 2;
    together += (i - middle) * (value - average);
  });
  const slope = together / spread;
  const rest = values.reduce((sum, value, i) => sum + (value - average - slope * (i - middle)) ** 2, 0);
  return { slope, error: Math.sqrt(rest / (n - 2) / spread) };
}
