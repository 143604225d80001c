import { setTimeout as sleep } from "node:timers/promises";
import { loaders, type Report, type Task, type ToolName } from "./loaders.ts";
import { busySeconds, clientCpu, cpuSeconds, pinned } from "./pinned.ts";
import type { Tools } from "./tools.ts";

/** What is measured against: it counts, so that a tool need not be believed. */
export interface Server {
  readonly grpc: number;
  readonly rest: number;
  /** Requests answered so far. */
  answered(): Promise<number>;
  /** CPU time so far, in seconds. */
  cpuSeconds(): number;
}

/** What one tool did in the measured seconds of one run. */
export interface Measured {
  readonly requestsPerSecond: number;
  /** User and system time of the tool's whole process tree. */
  readonly cpuMicrosPerRequest: number;
  /** The same of the server. */
  readonly serverMicrosPerRequest: number;
  /** Share of both CPUs that neither used: of other programs. */
  readonly others: number;
  readonly report: Report;
}

const warmupSeconds = 1.5; // from its first requests on: compilers and connections
const tailSeconds = 1.5;
/** A tool may take this long to send its first request. */
const startSeconds = 30;

/**
 * Runs a tool against the null server and measures the middle of the run from outside, alike for all tools: its CPU time
 * from /proc, and the requests that the server has answered. How long it takes to start and to report is not in it.
 */
export async function measure(
  tool: ToolName,
  task: Omit<Task, "port" | "seconds">,
  seconds: number,
  server: Server,
  tools: Tools,
): Promise<Measured> {
  const port = task.request.protocol === "v2-grpc" ? server.grpc : server.rest;
  const { command, args, env, report } = loaders[tool](
    { ...task, port, seconds: warmupSeconds + seconds + tailSeconds },
    tools,
  );
  const before = await server.answered();
  const client = pinned(clientCpu, command, args, env);
  const look = async () => ({
    at: performance.now() / 1000,
    answered: await server.answered(),
    client: cpuSeconds(client.pid),
    server: server.cpuSeconds(),
    busy: busySeconds().reduce((sum, cpu) => sum + cpu, 0),
  });
  const ended = client.output.then(() => true);
  const deadline = performance.now() + startSeconds * 1000;
  while ((await server.answered()) < before + 10) {
    if (await Promise.race([ended, sleep(20, false)])) throw new Error(`${tool} sent nothing`);
    if (performance.now() > deadline) throw new Error(`${tool} sent nothing within ${startSeconds} s`);
  }
  await sleep(warmupSeconds * 1000);
  const from = await look();
  await sleep(seconds * 1000);
  const until = await look();
  const requests = until.answered - from.answered;
  const clientSeconds = until.client - from.client;
  const serverSeconds = until.server - from.server;
  const elapsed = until.at - from.at;
  return {
    requestsPerSecond: requests / elapsed,
    cpuMicrosPerRequest: (clientSeconds * 1e6) / requests,
    serverMicrosPerRequest: (serverSeconds * 1e6) / requests,
    others: Math.max(until.busy - from.busy - clientSeconds - serverSeconds, 0) / (2 * elapsed),
    report: report(await client.output),
  };
}
