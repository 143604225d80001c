import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Result } from "../../benchmarks/result.ts";
import { checkout } from "../../local/paths.ts";

export interface Ended {
  readonly code: number | null;
  /** Standard output and error as they came. */
  readonly output: string;
}

/** Runs the command line as a user does, without a terminal. */
export function cli(...args: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(checkout, "local", "cli.ts"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

/** The same, for what must succeed: returns what it printed. */
export async function succeed(...args: string[]): Promise<string> {
  const { code, output } = await cli(...args);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}:\n${output.slice(-6000)}`);
  return output;
}

/** A measurement short enough for a test, which need not be VALID. The figures are small, the path is whole. */
export const quick = ["benchmark.warmup=1", "benchmark.duration=5"];

/** One just long enough for p99, however fast the machine is; on a machine that does other things too nothing is punctual. */
export const judged = [
  "benchmark.warmup=1",
  "benchmark.load.repeats=350",
  "benchmark.thresholds.maxDrift=1",
  "benchmark.thresholds.maxSlipShare=1",
];

export const configs = (sets: readonly string[]) => sets.flatMap((set) => ["--config", set]);

export async function result(): Promise<Result> {
  return (JSON.parse(await output("outputs")) as { benchmark: Result }).benchmark;
}

/** Standard output alone. */
export async function output(...args: string[]): Promise<string> {
  const { run } = await import("../../local/exec.ts");
  return run(process.execPath, [join(checkout, "local", "cli.ts"), ...args]);
}
