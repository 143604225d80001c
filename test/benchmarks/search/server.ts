import { seededRandom } from "../../../benchmarks/client/random.ts";
import type { Observation } from "../../../benchmarks/search/judge.ts";

export interface ServerOptions {
  /** Rate at which it would never answer, per second. */
  readonly capacity: number;
  /** 99th percentile of the latency without load, in milliseconds. */
  readonly idleMs: number;
  /** Spread of the measured percentile: standard deviation of its logarithm. */
  readonly noise: number;
  /** Grows with the load by this factor at capacity. Default 1: it does not. */
  readonly noiseGrowth?: number;
  /** Share of runs during which something else was busy, so that the percentile doubles. Default 0. */
  readonly disturbed?: number;
  /** Share of runs that are INVALID for no fault of the rate. Default 0. */
  readonly invalid?: number;
}

/** The rate at which such a server's latency is exactly this. */
export const truthOf = ({ capacity, idleMs }: ServerOptions, latencyMs: number): number =>
  capacity * (1 - idleMs / latencyMs);

/** A queue with one server: its percentiles grow as 1 / (1 - load). A rate it cannot follow is INVALID, as the client says it. */
export function simulatedServer(options: ServerOptions, seed: number): (rate: number) => Promise<Observation> {
  const { capacity, idleMs, noise, noiseGrowth = 1, disturbed = 0, invalid = 0 } = options;
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return async (rate) => {
    const load = rate / capacity;
    if (load > 0.97)
      return { latencyMs: 10_000, invalid: "The achieved rate was below the one asked for.", isOverloaded: true };
    const spread = noise * (1 + (noiseGrowth - 1) * load);
    const latencyMs = (idleMs / (1 - load)) * Math.exp(spread * normal()) * (random() < disturbed ? 2 : 1);
    return random() < invalid ? { latencyMs, invalid: "A client was busy." } : { latencyMs };
  };
}
