import { type Judgement, type JudgeOptions, judge, logsOf, mean, type Observation } from "./judge.ts";

/** Rates that are tried: `from`, and each by the factor 1 + `step` higher than the one before, up to `to`. Requests per second. */
export interface Rates {
  readonly from: number;
  readonly to: number;
  /** 0.05 is 5 %. */
  readonly step: number;
}

export interface CapacityRequest extends JudgeOptions {
  readonly rates: Rates;
  /** Fresh runs of the winner. */
  readonly confirmations: number;
}

export interface Tried<T extends Observation = Observation> {
  readonly rate: number;
  readonly judgement: Judgement;
  readonly seen: readonly T[];
}

/** The highest rate that keeps a latency. */
export interface Capacity<T extends Observation = Observation> {
  /**
   * Highest rate that was shown to keep it, and lowest that was shown not to: the interval of the true one. Null where no tried rate
   * was: even the lowest was not kept (`low`), even the highest was (`high`).
   */
  readonly low: number | null;
  readonly high: number | null;
  /** Best guess between them. */
  readonly estimate: number | null;
  /** Every rate that was tried, in order of rate. */
  readonly tried: readonly Tried<T>[];
  /** The highest rate that kept the latency once more, and its fresh runs. Null: there is none. */
  readonly winner: { readonly rate: number; readonly runs: readonly T[] } | null;
  /** Runs in all. */
  readonly runs: number;
  /** What the reader should know. */
  readonly notes: readonly string[];
}

/** A fresh look that contradicts the search is followed by one at the next lower rate, at most this often. */
const STEPS_DOWN = 5;

export function ratesOf({ from, to, step }: Rates): number[] {
  const count = Math.floor(Math.log(to / from) / Math.log(1 + step) + 1e-9) + 1;
  return Array.from({ length: count }, (_, index) => Number((from * (1 + step) ** index).toPrecision(4)));
}

/**
 * Finds the highest rate that keeps a latency: doubles the rate until it is not kept, then halves the interval, with as many runs at
 * a rate as it takes to be sure. The best of many noisy runs looks better than it is, so the winner is measured again and only these
 * fresh runs count for it.
 *
 * @param measure makes one run at a rate; `isFresh` asks for one that was never looked at before
 */
export async function findCapacity<T extends Observation>(
  request: CapacityRequest,
  measure: (rate: number, isFresh: boolean) => Promise<T>,
): Promise<Capacity<T>> {
  const rates = ratesOf(request.rates);
  const seen = new Map<number, T[]>();
  const judged = new Map<number, Judgement>();
  let runs = 0;

  /** Runs at a rate until it is sure, or has had all its runs. With what was seen elsewhere since, it may be sure without more. */
  const tryAt = async (index: number): Promise<Judgement> => {
    const own = seen.get(index) ?? [];
    seen.set(index, own);
    for (;;) {
      const judgement = judge(own, [...seen.values()], request);
      const isOver = logsOf(own).length >= request.runs || own.length >= 2 * request.runs;
      if (judgement !== "undecided" || isOver) {
        judged.set(index, judgement);
        return judgement;
      }
      own.push(await measure(rates[index]!, false));
      runs++;
    }
  };

  const { low, high } = await narrow(rates.length, doubling(request.rates.step), tryAt, judged);
  const tried = [...judged.entries()]
    .sort(([a], [b]) => a - b)
    .map(([index, judgement]): Tried<T> => ({ rate: rates[index]!, judgement, seen: seen.get(index)! }));
  const confirmed = await confirm(low, rates, request, measure);
  return {
    low: low < 0 ? null : rates[low]!,
    high: high >= rates.length ? null : rates[high]!,
    estimate: estimateOf(tried, rates[low], rates[high], request.latencyMs),
    tried,
    winner: confirmed.winner,
    runs: runs + confirmed.runs,
    notes: [...notesOf(tried, low, high, request), ...confirmed.notes],
  };
}

/** So many steps double the rate. */
const doubling = (step: number) => Math.max(1, Math.round(Math.log(2) / Math.log(1 + step)));

/** Brackets, then bisects. @returns highest index that keeps (-1: none) and lowest that misses (count: none) */
async function narrow(
  count: number,
  stride: number,
  tryAt: (index: number) => Promise<Judgement>,
  judged: ReadonlyMap<number, Judgement>,
): Promise<{ low: number; high: number }> {
  let low = -1;
  let high = count;
  const look = async (index: number) => {
    const judgement = await tryAt(index);
    if (judgement === "keeps") low = Math.max(low, index);
    if (judgement === "misses") high = Math.min(high, index);
    return judgement;
  };
  for (let index = 0; index < count; index = index === count - 1 ? count : Math.min(index + stride, count - 1))
    if ((await look(index)) === "misses") break;
  for (;;) {
    for (const [at, is] of judged) if (is === "undecided" && at > low && at < high) await look(at);
    const open = [...judged].filter(([at, is]) => is === "undecided" && at > low && at < high).map(([at]) => at);
    const [first, last] = open.length > 0 ? [Math.min(...open), Math.max(...open)] : [high, low];
    if (first - low > 1) await look(Math.floor((low + first) / 2));
    else if (high - last > 1) await look(Math.floor((last + high) / 2));
    else return { low, high };
  }
}

/** Where the mean of the logarithms crosses the latency, between the rates that bracket it. */
function estimateOf(tried: readonly Tried[], low: number | undefined, high: number | undefined, latencyMs: number) {
  if (low === undefined || high === undefined) return null;
  const points = tried
    .filter(({ rate, seen }) => rate >= low && rate <= high && logsOf(seen).length > 0)
    .map(({ rate, seen }) => ({ x: Math.log(rate), y: mean(logsOf(seen)) - Math.log(latencyMs) }));
  const above = points.findIndex(({ y }) => y > 0);
  const [a, b] = [points[above - 1], points[above]];
  if (!a || !b) return Math.sqrt(low * high);
  return Math.exp(a.x + ((b.x - a.x) * -a.y) / (b.y - a.y));
}

/** Measures the winner again, or else the next lower rates. */
async function confirm<T extends Observation>(
  low: number,
  rates: readonly number[],
  { confirmations, retries, latencyMs }: CapacityRequest,
  measure: (rate: number, isFresh: boolean) => Promise<T>,
): Promise<{ winner: Capacity<T>["winner"]; runs: number; notes: string[] }> {
  const notes: string[] = [];
  let count = 0;
  for (let index = low; index >= 0 && index > low - STEPS_DOWN; index--) {
    const runs: T[] = [];
    let left = retries;
    while (runs.filter(isTrusted).length < confirmations && (isTrusted(runs.at(-1)) || left-- > 0)) {
      runs.push(await measure(rates[index]!, true));
      count++;
    }
    const trusted = runs.filter(isTrusted);
    const isWhole = trusted.length === confirmations;
    if (isWhole && mean(logsOf(trusted)) <= Math.log(latencyMs))
      return { winner: { rate: rates[index]!, runs: trusted }, runs: count, notes };
    const why = isWhole ? `it took ${told(trusted)} ms` : `INVALID: ${runs.at(-1)?.invalid ?? "too few samples"}`;
    notes.push(`Measured again, ${rates[index]} requests/s did not win: ${why}.`);
  }
  return { winner: null, runs: count, notes };
}

const told = (runs: readonly Observation[]) => runs.map(({ latencyMs }) => latencyMs?.toFixed(1) ?? "?").join(", ");

/** The first run of all has nothing before it. */
const isTrusted = (run: Observation | undefined): boolean => run === undefined || logsOf([run]).length === 1;

function notesOf(tried: readonly Tried[], low: number, high: number, { rates }: CapacityRequest): string[] {
  const all = ratesOf(rates);
  const untrusted = tried.flatMap(({ rate, judgement, seen }) => {
    const invalid = seen.filter((run) => run.invalid !== undefined);
    if (judgement !== "misses" || 2 * invalid.length <= seen.length) return [];
    return [`${rate} requests/s cannot win, as its runs are INVALID: ${invalid.at(-1)!.invalid}`];
  });
  return [
    ...(low < 0 ? [`Even the lowest rate, ${all[0]} requests/s, was not shown to keep it.`] : []),
    ...(high >= all.length ? [`Even the highest rate, ${all.at(-1)} requests/s, was not shown to miss it.`] : []),
    ...untrusted,
  ];
}
