/** A sweep of a world made of files, to be killed at any moment: `node runner.child.ts FOLDER WORLD`. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { planSweep } from "../../../benchmarks/sweep/plan.ts";
import { runSweep } from "../../../benchmarks/sweep/run.ts";
import { readRuns } from "../../../benchmarks/sweep/store.ts";
import { withSoleLock } from "../../../local/lock.ts";
import { cell, keyOf, resultOf } from "./facts.ts";

const [folder, world] = process.argv.slice(2) as [string, string];
export const sweep = [1, 2, 3].flatMap((instances) =>
  [1, 2, 4].map((clients) => cell({ instances, "benchmark.clients": clients })),
);

await withSoleLock(join(folder, ".lock"), "A sweep", async () => {
  const { runs } = await readRuns(folder);
  const cells = planSweep(sweep, runs, { stack: "dev", repeats: 2, retries: 0, machine: {} });
  await runSweep(cells, { keyOf, deploy }, { stack: "dev", folder, say: () => {} });
});

/** Like a cluster it remembers what it has measured, and a run that was cut short leaves nothing. */
async function deploy(settings: Parameters<typeof keyOf>[0], run: number) {
  const key = keyOf(settings, run);
  const file = join(world, key);
  if (!existsSync(file)) {
    await sleep(5 + Math.random() * 10);
    appendFileSync(join(world, "measured"), `${key}\n`);
    const startedAt = new Date().toISOString();
    writeFileSync(file, JSON.stringify(resultOf(key, { startedAt })));
  }
  await sleep(2);
  return { result: JSON.parse(readFileSync(file, "utf8")) };
}
