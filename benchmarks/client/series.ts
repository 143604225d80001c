import type { Bin } from "./part.ts";

/** At most so many bins; where the length of the run is not known, two become one when they are full. */
const maxBins = 120;
const firstBinMs = 250;

/** What arrived over time, in equal bins from the start of the measured interval. */
export class Series {
  binMs: number;
  readonly #answered = new Float64Array(maxBins);
  readonly #failed = new Float64Array(maxBins);
  readonly #latencyMicros = new Float64Array(maxBins);
  /** Requests due less requests ended. */
  readonly #grown = new Float64Array(maxBins);
  #inFlightBefore = 0;

  /** @param lengthMs of the interval; undefined if it is not known */
  constructor(lengthMs: number | undefined) {
    if (lengthMs === undefined) this.binMs = firstBinMs;
    else {
      // An even number, so that the halves can be compared.
      const pairs = Math.min(Math.max(Math.round(lengthMs / firstBinMs / 2), 1), maxBins / 2);
      this.binMs = lengthMs / (2 * pairs);
    }
  }

  /** A request is due. Times are milliseconds from the start of the interval; below 0 in the warm-up. */
  due(at: number): void {
    if (at < 0) this.#inFlightBefore++;
    else this.#grown[this.#bin(at)]!++;
  }

  ended(at: number, latencyMs: number, failed: boolean): void {
    if (at < 0) {
      this.#inFlightBefore--;
      return;
    }
    const bin = this.#bin(at);
    this.#grown[bin]!--;
    if (failed) this.#failed[bin]!++;
    else {
      this.#answered[bin]!++;
      this.#latencyMicros[bin]! += Math.round(latencyMs * 1000); // whole, so that parts add up exactly
    }
  }

  #bin(at: number): number {
    let bin = Math.floor(at / this.binMs);
    for (; bin >= maxBins; bin = Math.floor(at / this.binMs)) this.#halve();
    return bin;
  }

  #halve(): void {
    for (const values of [this.#answered, this.#failed, this.#latencyMicros, this.#grown]) {
      for (let i = 0; i < maxBins / 2; i++) values[i] = values[2 * i]! + values[2 * i + 1]!;
      values.fill(0, maxBins / 2);
    }
    this.binMs *= 2;
  }

  /** The bins that had begun by `lengthMs`. */
  bins(lengthMs: number): Bin[] {
    let inFlight = this.#inFlightBefore;
    const count = Math.min(Math.ceil(lengthMs / this.binMs - 1e-9), maxBins);
    return Array.from({ length: count }, (_, i) => {
      inFlight += this.#grown[i]!;
      return {
        answered: this.#answered[i]!,
        failed: this.#failed[i]!,
        latencyMicros: this.#latencyMicros[i]!,
        inFlight: Math.max(inFlight, 0),
      };
    });
  }
}

/** Bins twice as wide. */
export function widen(bins: readonly Bin[]): Bin[] {
  return Array.from({ length: Math.ceil(bins.length / 2) }, (_, i) => {
    const one = bins[2 * i]!;
    const two = bins[2 * i + 1];
    return {
      answered: one.answered + (two?.answered ?? 0),
      failed: one.failed + (two?.failed ?? 0),
      latencyMicros: one.latencyMicros + (two?.latencyMicros ?? 0),
      inFlight: (two ?? one).inFlight,
    };
  });
}
