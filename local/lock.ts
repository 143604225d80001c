import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

/**
 * Runs `work` while holding an exclusive lock on `file`. The kernel's flock is held by a small child that ends when this
 * process ends, however it ends: a lock can never be left behind.
 *
 * @param onWait called once if somebody else holds the lock
 */
export async function withLock<T>(file: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn("flock", [file, "sh", "-c", "echo held; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true, // a Ctrl-C in the terminal must not drop the lock before the work it guards has ended
  });
  const waiting = setTimeout(() => onWait?.(), 300);
  try {
    await held(holder);
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    holder.stdin!.end();
  }
}

function held(holder: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    createInterface({ input: holder.stdout! }).once("line", () => resolve());
    holder.once("error", reject);
    holder.once("exit", (code) => reject(new Error(`flock ended with ${code}`)));
  });
}
