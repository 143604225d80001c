import { decodeFromCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { Result } from "../../result.ts";

const ticksPerHalfDistance = 5; // as HdrHistogram's own tools print it

/**
 * HdrHistogram's percentile distribution of the latency, in milliseconds: what its plotters read. `Max` is that of the
 * histogram, up to 0.1 % above the exact one.
 */
export function hgrm({ histogram: { latency } }: Result): string {
  const histogram = decodeFromCompressedBase64(latency.hdr) as Histogram;
  return histogram.outputPercentileDistribution(ticksPerHalfDistance, 1000);
}
