/**
 * How long a preview takes that needs no cluster: 24 servers on one node, whose SeldonDeployment is to take 3 s at most.
 * `npm run bench:preview [-- RUNS]`, 5 by default. Two times: the engine's own, of `pulumi preview`, and that of the whole
 * command, from Node's start to its end.
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
  const times: Seconds[] = [];
  for (let i = 0; i < runs; i++) times.push(await preview(sets));
  const told = (all: readonly number[]) =>
    `median ${median(all).toFixed(2)} s of ${runs} runs (${all.map((value) => value.toFixed(2)).join(", ")})`;
  console.log(`preview of a ${name}: ${told(times.map(({ engine }) => engine))}`);
  console.log(`  the whole command: ${told(times.map(({ command }) => command))}`);
}

async function preview(sets: readonly string[]): Promise<Seconds> {
  const config = sets.flatMap((set) => ["--config", set]);
  const start = performance.now();
  const text = await run(process.execPath, [
    join(checkout, "local", "bootstrap.mjs"),
    "preview",
    ...["--stack", "high-throughput", ...config, "--json"],
  ]);
  const command = (performance.now() - start) / 1000;
  const { steps, duration } = JSON.parse(text) as Preview;
  const counts = steps
    .filter(({ urn }) => urn.endsWith("::server-node1"))
    .map(({ newState }) => newState?.inputs?.spec?.predictors?.length ?? newState?.inputs?.spec?.replicas);
  if (counts.join() !== String(INSTANCES))
    throw new Error(`the preview is not of ${INSTANCES} servers on one node, but of ${counts.join() || "none"}`);
  return { command, engine: duration / 1e9 };
}

interface Seconds {
  readonly engine: number;
  readonly command: number;
}

/** What the engine prints as JSON. */
interface Preview {
  /** Nanoseconds. */
  readonly duration: number;
  readonly steps: readonly {
    readonly urn: string;
    readonly newState?: { readonly inputs?: { readonly spec?: Spec } };
  }[];
}
interface Spec {
  readonly replicas: number;
  readonly predictors?: readonly unknown[];
}
