import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { state } from "../paths.ts";

/** The node's outermost process, remembered with its start time: a pid alone may be somebody else's by now. */
interface Recorded {
  readonly pid: number;
  readonly startTime: string;
}

const file = join(state.cluster, "process.json");

export function remember(pid: number): void {
  writeFileSync(file, JSON.stringify({ pid, startTime: startTime(pid) }));
}

export function forget(): void {
  rmSync(file, { force: true });
}

/** The pid of the node's outermost process if it runs. */
export function running(): number | undefined {
  try {
    const recorded = JSON.parse(readFileSync(file, "utf8")) as Recorded;
    return startTime(recorded.pid) === recorded.startTime ? recorded.pid : undefined;
  } catch {
    return undefined;
  }
}

/** The first process inside the namespaces, by its pid out here. */
export function initOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]) || undefined;
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; the command name before it may hold spaces and brackets. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Asks the node to end, and makes it end when it has not within `seconds`. */
export async function end(seconds = 10): Promise<void> {
  const pid = running();
  if (pid === undefined) return;
  const init = initOf(pid);
  if (init !== undefined) process.kill(init, "SIGTERM");
  for (let waited = 0; waited < seconds * 10 && running() !== undefined; waited++) await sleep(100);
  // The kernel ends everything inside together with the outermost process.
  if (running() !== undefined) process.kill(pid, "SIGKILL");
  while (running() !== undefined) await sleep(100);
}
