import type { Thresholds } from "../../spec.ts";
import { defaultThresholds } from "../thresholds.ts";

export type ThresholdFlags = { -readonly [K in keyof Thresholds]?: Thresholds[K] };

/** The limits of the verdict: those given, and the defaults for the others. */
export function parseThresholds(flags: ThresholdFlags): Thresholds {
  const names = Object.keys(defaultThresholds) as (keyof Thresholds)[];
  return Object.fromEntries(
    names.map((name) => [name, flags[name] ?? defaultThresholds[name]]),
  ) as unknown as Thresholds;
}
