import type { Load, Stage } from "../../spec.ts";

const plural = (n: number, noun: string, plural = `${noun}s`): string => `${n} ${n === 1 ? noun : plural}`;

/** A load in a few words. */
export function loadInWords(load: Load): string {
  const batch = (load.batch ?? 1) > 1 ? `, batches of ${load.batch}` : "";
  const warmup = `, warm-up ${load.warmupSeconds} s`;
  if (load.mode === "closed") {
    const clients = `${plural(load.clients, "client")} in a closed loop`;
    if (load.repeats === undefined) return `${clients} for ${load.durationSeconds} s${batch}${warmup}`;
    const { warmupRepeats = 0 } = load;
    const before = warmupRepeats ? `, warm-up ${plural(warmupRepeats, "request")} each` : "";
    return `${clients}, ${plural(load.repeats, "request")} each${batch}${before}`;
  }
  if (load.mode === "open") {
    const stages = load.stages.map(stageInWords).join(", ");
    return `${load.arrivals} arrivals in an open loop: ${stages}; ${plural(load.connections, "connection")}${batch}${warmup}`;
  }
  const rate = load.targetQps === undefined ? "" : ` at ${plural(load.targetQps, "query", "queries")}/s`;
  return `MLPerf ${load.scenario}${rate}${batch}${warmup}`;
}

const stageInWords = ({ rate, durationSeconds, ramp }: Stage): string =>
  `${ramp ? "ramp to " : ""}${rate}/s for ${durationSeconds} s`;
