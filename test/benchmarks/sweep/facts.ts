import { experimentKey } from "../../../benchmarks/key.ts";
import type { Result } from "../../../benchmarks/result.ts";
import type { Cell } from "../../../benchmarks/sweep/plan.ts";
import type { Settings } from "../../../benchmarks/sweep/store.ts";
import { goodRun } from "../client/facts.ts";

/** Key of a run of these settings, in a world without servers. */
export const keyOf = (settings: Settings, run: number): string => experimentKey({ settings, run });

/** A cell whose servers are its instances. */
export const cell = (settings: Settings, chosen: Readonly<Record<string, string>> = {}): Cell => ({
  settings,
  problems: [],
  experiment: {
    key: experimentKey({ settings, chosen, run: 0 }),
    chosen,
    servers: `${settings.instances}`,
    measuringSeconds: 10,
  },
});

export function resultOf(key: string, changes: { invalid?: string; kernel?: string; startedAt?: string } = {}): Result {
  const { invalid, kernel, startedAt } = changes;
  const run = goodRun(1000);
  return {
    ...run,
    ...(startedAt ? { startedAt } : {}),
    key,
    verdict: { valid: invalid === undefined, reasons: invalid === undefined ? [] : [invalid], notes: [] },
    environment: { ...run.environment, ...(kernel ? { kernel } : {}) },
  };
}
