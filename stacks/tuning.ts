import { existsSync } from "node:fs";
import { readWinner, type Winner } from "../benchmarks/search/outcome.ts";
import type { Config } from "./schema.ts";

/** What became of a stack's `tuning`. */
export interface Tuned<C> {
  readonly config: C;
  /** One sentence on what was taken over, or why nothing was. */
  readonly note?: string;
  readonly problems: readonly string[];
}

type Tunable = Pick<Config, "tuning" | "instances" | "cpus" | "threadsPerCore" | "autoscaling">;

/**
 * The config with the values of a search's winner: as many instances as it had, and the CPU use that it left them as the one to
 * scale by. Where there is no winner, or an INVALID one, the values stay what they are.
 */
export function tuned<C extends Tunable>(config: C): Tuned<C> {
  const file = config.tuning.winner;
  if (file === undefined) return { config, problems: [] };
  const asIs = (why: string): Tuned<C> => ({
    config,
    problems: [],
    note: `tuning.winner: ${why}; instances stays ${config.instances} and autoscaling.averageUtilization ${config.autoscaling.averageUtilization}`,
  });
  if (!existsSync(file)) return asIs(`${file} is not there yet`);
  const winner = read(file);
  if (typeof winner === "string") return { config, problems: [`tuning.winner: ${winner}`] };
  if (!winner.verdict.valid) return asIs(`the winner in ${file} is INVALID: ${winner.verdict.reasons.join(" ")}`);
  const { instances } = winner;
  const averageUtilization = targetOf(config, winner) ?? config.autoscaling.averageUtilization;
  return {
    config: { ...config, instances, autoscaling: { ...config.autoscaling, averageUtilization } },
    note: `tuning.winner: instances ${instances} and autoscaling.averageUtilization ${averageUtilization} are those of the search of ${winner.endedAt} (${winner.inferencesPerSecond.toFixed(1)} inferences/s)`,
    problems: [],
  };
}

function read(file: string): Winner | string {
  try {
    return readWinner(file);
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * CPU use to keep to, in percent of what a server requests. Saturated, a server uses all its threads; at the winner's rate it uses
 * the same share of them as its throughput is of the saturated one's.
 */
function targetOf(
  { cpus, threadsPerCore, autoscaling }: Tunable,
  { instances, utilization }: Winner,
): number | undefined {
  if (utilization === null || autoscaling.resourceLimiting === undefined) return undefined;
  const requested = autoscaling.resourceLimiting.endsWith("m")
    ? Number(autoscaling.resourceLimiting.slice(0, -1)) / 1000
    : Number(autoscaling.resourceLimiting);
  const used = utilization * (cpus / instances) * threadsPerCore;
  return Math.min(1000, Math.max(1, Math.floor((100 * used) / requested)));
}
