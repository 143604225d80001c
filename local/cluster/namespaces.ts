import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { initOf } from "./process.ts";

export interface Inside {
  /** Outermost process: with it the kernel ends everything inside. */
  readonly outer: ChildProcess;
  /** First process inside, by its pid out here. */
  readonly init: number;
}

/**
 * Starts a program in pid, mount and network namespaces of its own, in a session of its own.
 *
 * @param log file descriptor for all it prints
 * @returns undefined if it does not come up
 */
export async function startInside(program: readonly string[], log: number): Promise<Inside | undefined> {
  const namespaces = ["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"];
  const outer = spawn("unshare", [...namespaces, "catatonit", "--", ...program], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  await new Promise((resolve, reject) => outer.once("spawn", resolve).once("error", reject));
  for (let tries = 0; tries < 100; tries++) {
    const init = initOf(outer.pid!);
    // Until it has unshared, the child still is in our network.
    if (init !== undefined) return { outer, init };
    await sleep(20);
  }
  return undefined;
}
