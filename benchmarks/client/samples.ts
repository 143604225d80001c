import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { Distribution, Timing } from "../result.ts";

/** One hour: longer samples go into the last bucket; their exact maximum and sum are kept all the same. */
const highestMicros = 3_600_000_000;

/** Always the same settings, because only histograms of equal settings merge into what all samples together would give. */
const emptyHistogram = (): Histogram =>
  build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: highestMicros,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
    autoResize: false,
  });

/**
 * Percentiles that are reported, as parts of 100,000 so that the arithmetic is exact, and the number of samples each
 * needs: at least ten must lie beyond it, else it says more about chance than about the server.
 */
export const percentiles = { p50: 50_000, p90: 90_000, p95: 95_000, p99: 99_000, p999: 99_900 } as const;
export const samplesNeeded = (p: keyof typeof percentiles): number => (10 * 100_000) / (100_000 - percentiles[p]);

/** Durations, kept in constant memory: an HDR histogram of whole microseconds with exact count, min, max and sum. */
export class Samples {
  #histogram = emptyHistogram();
  count = 0;
  sumMicros = 0;
  minMicros = Number.POSITIVE_INFINITY;
  maxMicros = 0;

  /** @param ms the duration in milliseconds; rounded to whole microseconds, and never less than 0 */
  record(ms: number): void {
    const micros = ms > 0 ? Math.round(ms * 1000) : 0;
    this.#histogram.recordValue(Math.min(micros, highestMicros));
    this.count++;
    this.sumMicros += micros;
    if (micros < this.minMicros) this.minMicros = micros;
    if (micros > this.maxMicros) this.maxMicros = micros;
  }

  /** Milliseconds that the share `parts`/100,000 of the samples do not exceed. 0 without samples. */
  percentileMs(parts: number): number {
    if (this.count === 0) return 0;
    const micros = this.#histogram.getValueAtPercentile(parts / 1000);
    return Math.min(Math.max(micros, this.minMicros), this.maxMicros) / 1000; // a bucket's edge may lie beyond the extremes
  }

  reset(): void {
    this.#histogram.reset();
    this.count = this.sumMicros = this.maxMicros = 0;
    this.minMicros = Number.POSITIVE_INFINITY;
  }

  /** Mean, percentiles (null where there are too few samples) and maximum, in milliseconds. */
  timing(): Timing {
    const at = (p: keyof typeof percentiles) =>
      this.count >= samplesNeeded(p) ? this.percentileMs(percentiles[p]) : null;
    return {
      mean: this.count ? this.sumMicros / this.count / 1000 : null,
      p50: at("p50"),
      p90: at("p90"),
      p95: at("p95"),
      p99: at("p99"),
      p999: at("p999"),
      max: this.count ? this.maxMicros / 1000 : null,
    };
  }

  toJSON(): Distribution {
    return {
      hdr: encodeIntoCompressedBase64(this.#histogram),
      count: this.count,
      minMicros: this.count ? this.minMicros : null,
      maxMicros: this.count ? this.maxMicros : null,
      sumMicros: this.sumMicros,
    };
  }

  /** Everything that any of the parts recorded, as if it had been recorded here. */
  static merge(parts: readonly Distribution[]): Samples {
    const all = new Samples();
    for (const part of parts) {
      if (!part.count) continue;
      all.#histogram.add(decodeFromCompressedBase64(part.hdr) as Histogram);
      all.count += part.count;
      all.sumMicros += part.sumMicros;
      all.minMicros = Math.min(all.minMicros, part.minMicros!);
      all.maxMicros = Math.max(all.maxMicros, part.maxMicros!);
    }
    return all;
  }
}
