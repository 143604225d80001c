import { readFileSync } from "node:fs";
import { UserError } from "../../error.ts";
import type { BenchmarkSpec } from "../spec.ts";
import { coordinate } from "./coordinator.ts";
import { keepTo } from "./cpus.ts";
import { Kubernetes, podAccess } from "./kubernetes.ts";

/** Entry of the bundle that runs in the benchmark Job: `node client.cjs SPEC INPUTS`. */
async function main([specFile, inputsFolder]: readonly string[]): Promise<void> {
  if (!specFile || !inputsFolder) throw new UserError("Usage: node client.cjs SPEC.json INPUTS-FOLDER");
  const spec = readSpec(specFile);
  if (spec.clientCpus) keepTo(spec.clientCpus);
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once("SIGTERM", stop).once("SIGINT", stop);
  const say = (text: string) => process.stdout.write(`${text}\n`);
  await coordinate(spec, inputsFolder, new Kubernetes(podAccess()), { say, signal: interrupt.signal });
}

function readSpec(file: string): BenchmarkSpec {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UserError(`Cannot read the experiment from ${file}: ${(error as Error).message}.`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof UserError ? error.message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = 1;
});
