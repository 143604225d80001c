import { readFileSync } from "node:fs";
import { UserError } from "../../error.ts";
import { Kubernetes, podAccess } from "../client/kubernetes.ts";
import { measure } from "./measure.ts";
import type { TrainingSpec } from "./spec.ts";
import { waitForTraining } from "./wait.ts";

/** Entry of the bundle that waits for a training and writes its result: `node collector.cjs SPEC`. */
async function main([file]: readonly string[]): Promise<void> {
  if (!file) throw new UserError("Usage: node collector.cjs SPEC.json");
  const spec: TrainingSpec = JSON.parse(readFileSync(file, "utf8"));
  const kubernetes = new Kubernetes(podAccess());
  const say = (text: string) => void process.stdout.write(`${text}\n`);
  const result = measure(spec, await waitForTraining(kubernetes, spec, { say }));
  const { namespace, configMap } = spec.result;
  await kubernetes.patchConfigMap(namespace, configMap, "result.json", JSON.stringify(result, null, 2));
  say(`${result.throughput.imagesPerSecond.toFixed(1)} images/s, ${result.verdict.valid ? "VALID" : "INVALID"}`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof UserError ? error.message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = 1;
});
