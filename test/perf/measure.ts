import { join } from "node:path";
import type { Result } from "../../benchmarks/result.ts";
import { run } from "../../local/exec.ts";
import { checkout } from "../../local/paths.ts";

/** One fresh measurement of stack dev through the command line, with `key=value` settings over its file. */
export async function measure(config: readonly string[]): Promise<Result> {
  const cli = (...args: string[]) => run(process.execPath, [join(checkout, "local", "cli.ts"), ...args]);
  await cli("start", "--rerun", ...config.flatMap((set) => ["--config", set]));
  return (JSON.parse(await cli("outputs")) as { benchmark: Result }).benchmark;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation of the sample over its mean. */
export function coefficientOfVariation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - m) ** 2, 0) / (values.length - 1)) / m;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
