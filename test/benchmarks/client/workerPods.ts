import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pod } from "../../../benchmarks/client/kubernetes.ts";
import type { BenchmarkSpec } from "../../../benchmarks/spec.ts";
import { pod } from "./apiServer.ts";

export const token = "a token of the test";

/** A port that is free on every loopback address, as far as can be known. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A worker as its container runs it: a process of its own, on an address of its own. */
export interface WorkerProcess {
  readonly child: ChildProcess;
  readonly pod: Pod;
  /** Exit code, and what it wrote. */
  readonly ended: Promise<{ code: number | null; output: string }>;
}

/** @param program the client's source, or its bundle */
export function startWorker(
  name: string,
  ip: string,
  spec: BenchmarkSpec,
  inputs: string,
  { program = "benchmarks/client/job.ts", execArgv = [] as readonly string[], given = token } = {},
): WorkerProcess {
  const folder = mkdtempSync(join(tmpdir(), "worker-"));
  const [specFile, tokenFile] = [join(folder, "spec.json"), join(folder, "token")];
  writeFileSync(specFile, JSON.stringify(spec));
  writeFileSync(tokenFile, `${given}\n`);
  const child = spawn(process.execPath, [...execArgv, program, "worker", specFile, inputs], {
    env: { ...process.env, POD_IP: ip, TOKEN_FILE: tokenFile, NODE_NAME: `node of ${name}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (output += chunk));
  return {
    child,
    pod: workerPod(name, ip),
    ended: once(child, "close").then(([code]) => ({ code, output })),
  };
}

export const workerPod = (name: string, ip: string, status: Partial<Pod["status"]> = {}): Pod =>
  pod(name, ip, { metadata: { labels: {} }, status: { podIP: ip, phase: "Running", conditions: [], ...status } });
