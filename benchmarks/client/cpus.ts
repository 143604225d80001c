import { existsSync, readFileSync } from "node:fs";
import { UserError } from "../../error.ts";

/** CPU numbers of a Linux list such as "0-2,5", in rising order. */
export function parseCpuList(list: string): number[] {
  const cpus = new Set<number>();
  for (const part of list.split(",")) {
    if (!part.trim()) continue;
    const range = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!range) throw new UserError(`"${list}" is not a list of CPUs; an example of one is 0-2,5.`);
    for (let cpu = Number(range[1]); cpu <= Number(range[2] ?? range[1]); cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** Whether two lists name the same CPUs, however they are written. */
export const sameCpus = (a: string, b: string): boolean => parseCpuList(a).join() === parseCpuList(b).join();

/** The last CPU list in text such as /proc/PID/status or a server's log, where its wrapper has printed that line. */
export function findCpusAllowed(text: string): string | undefined {
  return [...text.matchAll(/Cpus_allowed_list:\s*([\d,-]+)/g)].at(-1)?.[1];
}

/** CPUs this process may run on, as a Linux list. */
export function ownCpus(): string {
  return findCpusAllowed(readFileSync("/proc/self/status", "utf8")) ?? "";
}

/**
 * Makes this process keep to `cpus`, with all its threads, by starting it anew under taskset in its own place. Returns if
 * it keeps to them already.
 *
 * @throws UserError if it may not use them, or without taskset
 */
export function keepTo(cpus: string, env: NodeJS.ProcessEnv = process.env): void {
  const own = ownCpus();
  if (sameCpus(own, cpus) || env.CLIENT_PINNED) return; // pinned in vain: the verdict says so
  const missing = parseCpuList(cpus).filter((cpu) => !parseCpuList(own).includes(cpu));
  if (missing.length)
    throw new UserError(
      `The client is to keep to CPUs ${cpus}, but it may only use ${own} (not ${missing.join(",")}).`,
    );
  const taskset = ["/usr/bin/taskset", "/bin/taskset"].find(existsSync);
  if (!taskset) throw new UserError(`The client is to keep to CPUs ${cpus}, but its image has no taskset.`);
  process.removeAllListeners("warning"); // execve is marked as experimental, which is of no interest to the reader of the log
  process.execve!(taskset, ["taskset", "-c", cpus, process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...env,
    CLIENT_PINNED: "1",
  });
}
