import type { Result } from "./result.ts";

/** What an autoscaled service is asked for: in each window at most 1 % of the requests may take longer than `p99Ms`, or get no answer. */
export interface Slo {
  readonly p99Ms: number;
  readonly windowSeconds: number;
}

/** Requests by the window in which they were due. */
export interface Window {
  readonly due: number;
  /** Of these, answered within `p99Ms`. */
  readonly kept: number;
}

/** Servers from a time on, in seconds from the start of the measured interval. */
export interface ServerCount {
  readonly atSeconds: number;
  /** Pods that exist and are not being deleted: what the autoscaler has decided. */
  readonly wanted: number;
  /** Of these, Ready. */
  readonly ready: number;
}

/** A part of the schedule, in seconds from the start of the measured interval, with its rates in requests per second. */
export interface RatePiece {
  readonly from: number;
  readonly until: number;
  readonly startRate: number;
  readonly endRate: number;
}

export interface ScalingFacts {
  /** Fewest and most servers that the autoscaler may choose. */
  readonly min: number;
  readonly max: number;
  readonly slo: Slo;
  /** CPUs that each server requests. */
  readonly coresPerServer: number;
  readonly durationSeconds: number;
  /** Of an open loop. None: no step, and the same load all along. */
  readonly pieces: readonly RatePiece[];
  /** From the start of the measured interval, one after the other. */
  readonly windows: readonly Window[];
  /** In the order of time; the first is what there was at the start. At least one. */
  readonly timeline: readonly ServerCount[];
}

export type Scaling = NonNullable<Result["scaling"]>;

/** So many windows in a row must keep the SLO until it counts as kept: one may be luck. */
export const HOLD = 3;

/**
 * How an autoscaler met a load. A pure function of what the clients and the coordinator saw.
 *
 * - The step is the start of the stage whose rate is the most above that of the stage before; it lasts until the rate falls
 *   below that stage's.
 * - A window violates the SLO when more than 1 % of the requests that were due in it were not answered within `p99Ms`.
 * - It has recovered at the start of the first `HOLD` windows in a row that do not violate it after one that did.
 * - Needed at a rate are as many servers as were Ready, at most, in `HOLD` windows in a row that kept the SLO at that rate or a
 *   higher one; the fewest of which that was seen. Where none was seen no server was too many.
 * - A flap is an addition after a removal, or a removal after an addition, that the load did not ask for: its rate has not moved
 *   that way since the last move that way.
 */
export function scalingOf(facts: ScalingFacts): Scaling {
  const { min, max, slo, coresPerServer, windows, timeline, pieces } = facts;
  const step = stepOf(facts);
  const more = (count: "wanted" | "ready") => step && millis(firstAbove(timeline, count, step));
  return {
    min,
    max,
    slo,
    coresPerServer,
    stepAtSeconds: step?.from ?? null,
    decisionSeconds: more("wanted") ?? null,
    reactionSeconds: more("ready") ?? null,
    recoverySeconds: (step && millis(recovery(facts, step))) ?? null,
    sloViolationSeconds: millis(
      windows.reduce((sum, window, i) => sum + (violates(window) ? lengthOf(facts, i) : 0), 0),
    )!,
    overProvisionedCoreSeconds: millis(surplus(facts) * coresPerServer)!,
    flaps: flapsOf(timeline, pieces),
    timeline: timeline.map(({ atSeconds, wanted, ready }) => ({ atSeconds: millis(atSeconds)!, wanted, ready })),
    windows: windows.map(({ due, kept }, i) => ({
      startSeconds: millis(i * slo.windowSeconds)!,
      due,
      late: due - kept,
    })),
  };
}

/** What a look at the servers found, at a time in milliseconds. */
export interface Look extends Omit<ServerCount, "atSeconds"> {
  readonly at: number;
}

/**
 * The changes among looks at the servers, from the start of the measured interval to its end.
 *
 * @param looks in the order of time; at least one
 * @param from the start, by the same clock
 * @param until the end
 */
export function timelineOf(looks: readonly Look[], from: number, until: number): ServerCount[] {
  const first = looks.findLast(({ at }) => at <= from) ?? looks[0]!;
  const within = [{ ...first, at: from }, ...looks.filter(({ at }) => at > from && at < until)];
  return within
    .filter(({ wanted, ready }, i) => i === 0 || wanted !== within[i - 1]!.wanted || ready !== within[i - 1]!.ready)
    .map(({ at, wanted, ready }) => ({ atSeconds: (at - from) / 1000, wanted, ready }));
}

const millis = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : Math.round(seconds * 1000) / 1000;

interface Step {
  readonly from: number;
  readonly until: number;
}

function stepOf({ pieces, durationSeconds }: ScalingFacts): Step | undefined {
  let highest = 0;
  let found: number | undefined;
  pieces.forEach((piece, i) => {
    const rise = i === 0 ? 0 : piece.endRate - pieces[i - 1]!.endRate;
    if (rise <= highest) return;
    highest = rise;
    found = i;
  });
  if (found === undefined || pieces[found]!.from >= durationSeconds) return undefined; // or interrupted before it
  const { from, endRate } = pieces[found]!;
  const lower = pieces.slice(found + 1).find((piece) => piece.endRate < endRate);
  return { from, until: Math.min(lower?.from ?? durationSeconds, durationSeconds) };
}

/** Of the last entry by then. */
function at(timeline: readonly ServerCount[], seconds: number): ServerCount {
  return timeline.findLast(({ atSeconds }) => atSeconds <= seconds) ?? timeline[0]!;
}

function firstAbove(timeline: readonly ServerCount[], count: "wanted" | "ready", { from, until }: Step) {
  const before = at(timeline, from)[count];
  const first = timeline.find((entry) => entry.atSeconds > from && entry.atSeconds <= until && entry[count] > before);
  return first && first.atSeconds - from;
}

const violates = ({ due, kept }: Window): boolean => (due - kept) * 100 > due;

function lengthOf({ slo, durationSeconds }: ScalingFacts, window: number): number {
  const start = window * slo.windowSeconds;
  return Math.max(Math.min(start + slo.windowSeconds, durationSeconds) - start, 0);
}

const holdsFrom = (windows: readonly Window[], first: number): boolean =>
  first + HOLD <= windows.length && !windows.slice(first, first + HOLD).some(violates);

/** 0 if the SLO was never violated in the step; undefined if it was to the end. */
function recovery({ windows, slo }: ScalingFacts, { from, until }: Step): number | undefined {
  const { windowSeconds } = slo;
  const last = Math.min(Math.ceil(until / windowSeconds), windows.length);
  const inStep = windows.slice(0, last);
  const first = inStep.findIndex((window, i) => (i + 1) * windowSeconds > from && violates(window));
  if (first === -1) return 0;
  const recovered = inStep.findIndex((_, i) => i > first && holdsFrom(inStep, i));
  return recovered === -1 ? undefined : recovered * windowSeconds - from;
}

/** Server seconds that were Ready and not needed. */
function surplus(facts: ScalingFacts): number {
  const { windows, slo, timeline } = facts;
  const span = (first: number, count = 1) =>
    [first * slo.windowSeconds, (first + count - 1) * slo.windowSeconds + lengthOf(facts, first + count - 1)] as const;
  const seen = windows.flatMap((_, i) => {
    if (!holdsFrom(windows, i)) return [];
    const [from, until] = span(i, HOLD);
    const during = [
      at(timeline, from),
      ...timeline.filter((entry) => entry.atSeconds > from && entry.atSeconds < until),
    ];
    return { rate: ratesIn(facts, from, until).lowest, ready: Math.max(...during.map(({ ready }) => ready)) };
  });
  return windows.reduce((sum, _, i) => {
    const [from, until] = span(i);
    const { highest } = ratesIn(facts, from, until);
    const needed = Math.min(...seen.filter(({ rate }) => rate >= highest).map(({ ready }) => ready));
    return sum + above(timeline, needed, from, until);
  }, 0);
}

/** The integral over a time of the servers above a number. */
function above(timeline: readonly ServerCount[], needed: number, from: number, until: number): number {
  const times = [from, ...timeline.map(({ atSeconds }) => atSeconds).filter((t) => t > from && t < until), until];
  return times.slice(1).reduce((sum, end, i) => {
    const start = times[i]!;
    return sum + Math.max(at(timeline, start).ready - needed, 0) * (end - start);
  }, 0);
}

function ratesIn({ pieces }: ScalingFacts, from: number, until: number): { lowest: number; highest: number } {
  const rates = pieces
    .filter((piece) => piece.from < until && piece.until > from)
    .flatMap((piece) => [Math.max(from, piece.from), Math.min(until, piece.until)].map((t) => rateAt(piece, t)));
  return rates.length > 0 ? { lowest: Math.min(...rates), highest: Math.max(...rates) } : { lowest: 0, highest: 0 };
}

function rateAt({ from, until, startRate, endRate }: RatePiece, seconds: number): number {
  if (startRate === endRate) return endRate;
  return startRate + ((endRate - startRate) * (seconds - from)) / (until - from);
}

function flapsOf(timeline: readonly ServerCount[], pieces: readonly RatePiece[]): number {
  const moves = timeline.slice(1).flatMap(({ atSeconds, wanted }, i) => {
    const way = Math.sign(wanted - timeline[i]!.wanted);
    return way === 0 ? [] : { atSeconds, way };
  });
  const turns = pieces.slice(1).map(({ from, endRate }, i) => ({ from, way: Math.sign(endRate - pieces[i]!.endRate) }));
  return moves.filter(({ atSeconds, way }, i) => {
    if (i === 0 || moves[i - 1]!.way === way) return false;
    const last = moves.slice(0, i).findLast((move) => move.way === way)?.atSeconds ?? Number.NEGATIVE_INFINITY;
    return !turns.some((turn) => turn.way === way && turn.from > last && turn.from <= atSeconds);
  }).length;
}
