/**
 * What a sweep costs besides measuring: `npm run bench sweep` times the preview of 500 cells of stack high-throughput, which needs no
 * cluster, and says what the stored runs of this checkout's sweeps took besides warm-up and measuring.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readRuns } from "../../benchmarks/sweep/store.ts";
import { run } from "../../local/exec.ts";
import { checkout, state } from "../../local/paths.ts";

const axes = { instances: [1, 2, 4, 6, 8, 12, 24, 48], cpus: [48], batch: [1, 2, 4, 8, 16], clients: range(1, 13) };
const sweep = ["--stack", "high-throughput", "--config", `sweep=${JSON.stringify({ axes, impossible: "skip" })}`];
const began = performance.now();
const previewed = await run(process.execPath, [
  join(checkout, "local", "cli.ts"),
  "sweep",
  "preview",
  "--json",
  ...sweep,
]);
const { cells } = JSON.parse(previewed) as { cells: { state: string }[] };
console.log(`preview of ${cells.length} cells: ${((performance.now() - began) / 1000).toFixed(1)} s`);

for (const stack of stacks()) {
  const { runs } = await readRuns(join(state.sweeps, stack.name));
  for (const change of ["load", "servers"] as const) {
    const seconds = runs.filter((run) => run.change === change).map(({ overheadSeconds }) => overheadSeconds ?? 0);
    if (seconds.length === 0) continue;
    const sorted = seconds.sort((a, b) => a - b);
    const [median, most] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
    console.log(
      `stack ${stack.name}, ${change} changed: ${seconds.length} runs took ${median} s besides (median), at most ${most} s`,
    );
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function stacks() {
  if (!existsSync(state.sweeps)) return [];
  return readdirSync(state.sweeps, { withFileTypes: true }).filter((entry) => entry.isDirectory());
}
