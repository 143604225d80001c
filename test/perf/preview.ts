/**
 * How long a preview takes that needs no cluster: 24 servers on one node, whose SeldonDeployment is to take 3 s at most.
 * `npm run bench:preview [-- RUNS]`, 5 by default. The time is that of the whole command line, from Node's start to its end.
 */
import { join } from "node:path";
import { run } from "../../local/exec.ts";
import { checkout } from "../../local/paths.ts";
import { median } from "./measure.ts";

const runs = Number(process.argv[2] ?? 5);
const INSTANCES = 24;
const cases = {
  "SeldonDeployment of 24 servers": ["engine=seldon", "cluster.nodes=1"],
  "StatefulSet of 24 servers": ["engine=kubernetes", "cluster.nodes=1"],
};

for (const [name, sets] of Object.entries(cases)) {
  await preview(sets); // builds what is missing
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) seconds.push(await preview(sets));
  const all = seconds.map((value) => value.toFixed(2)).join(", ");
  console.log(`preview of a ${name}: median ${median(seconds).toFixed(2)} s of ${runs} runs (${all})`);
}

async function preview(sets: readonly string[]): Promise<number> {
  const config = sets.flatMap((set) => ["--config", set]);
  const start = performance.now();
  const text = await run(process.execPath, [
    join(checkout, "local", "bootstrap.mjs"),
    "preview",
    ...["--stack", "high-throughput", ...config, "--json"],
  ]);
  const seconds = (performance.now() - start) / 1000;
  const { steps } = JSON.parse(text) as { steps: { urn: string; newState?: { inputs?: { spec?: Spec } } }[] };
  const counts = steps
    .filter(({ urn }) => urn.endsWith("::server-node1"))
    .map(({ newState }) => newState?.inputs?.spec?.predictors?.length ?? newState?.inputs?.spec?.replicas);
  if (counts.join() !== String(INSTANCES))
    throw new Error(`the preview is not of ${INSTANCES} servers on one node, but of ${counts.join() || "none"}`);
  return seconds;
}

interface Spec {
  readonly replicas: number;
  readonly predictors?: readonly unknown[];
}
