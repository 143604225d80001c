/** A server that takes `delayMs` for a request and answers nothing in the first `stallMs` of every `everyMs`. */
export interface Stalls {
  readonly delayMs: number;
  readonly stallMs: number;
  readonly everyMs: number;
  /** From the epoch to the start of a period. Default 0. */
  readonly offsetMs?: number;
}

/** When a request that comes at `at` is answered; both in milliseconds since the epoch, from which the periods count. */
export function answeredAt(at: number, { delayMs, stallMs, everyMs, offsetMs = 0 }: Stalls): number {
  const ready = at + delayMs;
  const into = (((ready - offsetMs) % everyMs) + everyMs) % everyMs;
  return into < stallMs ? ready + stallMs - into : ready;
}

/** Latencies of requests that are sent when they are due, from then on; milliseconds. */
export const openLatencies = (due: Iterable<number>, stalls: Stalls): number[] =>
  Array.from(due, (at) => answeredAt(at, stalls) - at);

/**
 * Latencies of clients that each send when their last request was answered, between two times. Where in its cycle a stall
 * meets a client is chance (its cycles are some tenths of a millisecond longer than the delay); on average it is the middle.
 */
export function closedLatencies(clients: number, from: number, until: number, stalls: Stalls): number[] {
  const one: number[] = [];
  for (let at = from; at < until; ) {
    const next = answeredAt(at, stalls);
    const stalled = next > at + stalls.delayMs;
    one.push(stalled ? stalls.stallMs + stalls.delayMs / 2 : stalls.delayMs);
    at = next;
  }
  return Array.from({ length: clients }, () => one).flat();
}

/** Times at equal distances in [from, from + seconds). */
export const constantTimes = (from: number, rate: number, seconds: number): number[] =>
  Array.from({ length: Math.round(rate * seconds) }, (_, i) => from + (i * 1000) / rate);

export const shares = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 } as const;
export type Percentiles = Record<keyof typeof shares, number>;

/** Smallest values that the given share of all is not above. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)]!;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) };
}
