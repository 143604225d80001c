import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { UserError } from "../../error.ts";
import type { BenchmarkSpec } from "../spec.ts";
import { coordinate } from "./coordinator.ts";
import { keepTo } from "./cpus.ts";
import { readInputs } from "./inputs.ts";
import { Kubernetes, podAccess } from "./kubernetes.ts";
import { isLoadThread } from "./threads.ts";
import { work } from "./worker.ts";
import { workerSeconds } from "./workerPods.ts";

/** A worker waits this much longer than the coordinator may wait for servers and workers: it also fetches and starts. */
const workerPatienceSeconds = 240;

/**
 * Entry of the bundle that runs in the benchmark's Jobs: `node client.cjs [worker] SPEC INPUTS`. `TOKEN_FILE` and `POD_IP` are
 * set where there are workers or a control endpoint, `PAGE_FILE` where it has a live page.
 */
async function main(args: readonly string[]): Promise<void> {
  const isWorker = args[0] === "worker";
  const [specFile, inputsFolder] = isWorker ? args.slice(1) : args;
  if (!specFile || !inputsFolder) throw new UserError("Usage: node client.cjs [worker] SPEC.json INPUTS-FOLDER");
  const spec = readJson<BenchmarkSpec>(specFile);
  if (spec.clientCpus) keepTo(spec.clientCpus);
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once("SIGTERM", stop).once("SIGINT", stop);
  const { POD_IP: podIp, TOKEN_FILE: tokenFile, PAGE_FILE: pageFile } = process.env;
  const common = {
    token: tokenFile === undefined ? undefined : readText(tokenFile).trim(),
    say: (text: string) => void process.stdout.write(`${text}\n`),
    signal: interrupt.signal,
  };
  if (!isWorker) {
    await coordinate(spec, inputsFolder, new Kubernetes(podAccess()), {
      ...common,
      // In a pod all addresses are its own: a port-forward comes to its loopback, other pods to its address.
      host: podIp === undefined ? "127.0.0.1" : undefined,
      name: hostname(),
      page: pageFile === undefined ? undefined : readText(pageFile),
    });
    return;
  }
  if (!spec.workers || !common.token) throw new UserError("The experiment has no workers, or this pod no token.");
  await work({
    ...common,
    host: podIp ?? "127.0.0.1",
    token: common.token,
    port: spec.workers.port,
    inputs: readInputs(inputsFolder),
    idleSeconds: spec.servers.readySeconds + workerSeconds + workerPatienceSeconds,
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`Cannot read ${file}: ${(error as Error).message}.`);
  }
}

function readJson<T>(file: string): T {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UserError(`Cannot read the experiment from ${file}: ${(error as Error).message}.`);
  }
}

if (!isLoadThread)
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof UserError ? error.message : ((error as Error).stack ?? error)}\n`);
    process.exitCode = 1;
  });
