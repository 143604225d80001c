import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { UserError } from "../../../error.ts";
import type { Server } from "./measure.ts";

/** Which CPU each side keeps to. The bench itself, which only waits while it measures, shares the server's. */
export const serverCpu = 0;
export const clientCpu = 1;

const ticksPerSecond = 100; // USER_HZ, the same on every architecture that Linux runs Node on

/** A program that runs on one CPU and dies with this one. */
export interface Pinned {
  readonly pid: number;
  /** Standard output; rejects if the program fails. */
  readonly output: Promise<string>;
  readonly child: ChildProcess;
}

export function pinned(cpu: number, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Pinned {
  // Both exec, so the process that is started stays the same one.
  const child = spawn("taskset", ["-c", String(cpu), "setpriv", "--pdeathsig", "KILL", "--", command, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr = (stderr + chunk).slice(-4000);
  });
  const output = new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${command} ended with ${signal ?? code}:\n${stderr.trim()}\n${stdout.slice(-1000)}`));
    });
  });
  output.catch(() => {}); // whoever waits for it is told
  return { pid: child.pid!, output, child };
}

/** User and system time of a process and all below it so far, in seconds; those that have ended included. */
export function cpuSeconds(pid: number): number {
  const all = new Map<number, { parent: number; ticks: number }>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const text = readFileSync(`/proc/${entry}/stat`, "utf8");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
      all.set(Number(entry), { parent: Number(fields[1]), ticks: utime! + stime! + cutime! + cstime! });
    } catch {} // it has just ended
  }
  const isBelow = (id: number): boolean => id === pid || (all.has(id) && isBelow(all.get(id)!.parent));
  let ticks = 0;
  for (const [id, process] of all) if (isBelow(id)) ticks += process.ticks;
  return ticks / ticksPerSecond;
}

/** Time each CPU was not idle so far, in seconds. */
export function busySeconds(): number[] {
  const lines = readFileSync("/proc/stat", "utf8").split("\n");
  return lines
    .filter((line) => /^cpu\d/.test(line))
    .map((line) => {
      const [user, nice, system, , , irq, softirq, steal] = line.split(/ +/).slice(1).map(Number);
      return (user! + nice! + system! + irq! + softirq! + steal!) / ticksPerSecond;
    });
}

/** The null server, or with delays a server whose latencies are known in advance. */
export interface NullServer extends Server {
  stop(): Promise<void>;
}

export async function startNullServer(program: string, args: readonly string[] = []): Promise<NullServer> {
  const server = pinned(serverCpu, program, args);
  const lines = createInterface({ input: server.child.stdout! })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) throw await server.output.then(() => new UserError("The null server ended."));
  return {
    cpuSeconds: () => cpuSeconds(server.pid),
    ...(JSON.parse(first.value) as { grpc: number; rest: number }),
    async answered() {
      server.child.stdin!.write("\n");
      return Number((await lines.next()).value);
    },
    async stop() {
      server.child.stdin!.end();
      if (server.child.exitCode === null) await once(server.child, "close");
    },
  };
}
