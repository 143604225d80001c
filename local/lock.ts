import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { UserError } from "../error.ts";

/**
 * Runs `work` while holding an exclusive lock on `file`. The kernel's flock is held by a small child that ends when this
 * process ends, however it ends: a lock can never be left behind.
 *
 * @param onWait called once if somebody else holds the lock
 */
export async function withLock<T>(file: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  const holder = holdWith([], file);
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

/**
 * Runs `work` while holding an exclusive lock on `file`, or not at all: who holds it already is in the error.
 *
 * @param about what the holder does, for those who come second
 * @throws UserError
 */
export async function withSoleLock<T>(file: string, about: string, work: () => Promise<T>): Promise<T> {
  const holder = holdWith(["--nonblock"], file);
  const isFree = await held(holder).then(
    () => true,
    () => false,
  );
  if (!isFree) {
    const who = readFileSync(file, "utf8").trim() || "another process that has just begun";
    throw new UserError(`${about} is under way already: ${who}.`, `It holds ${file}; wait for it, or end it.`);
  }
  try {
    writeFileSync(file, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`);
    return await work();
  } finally {
    holder.stdin!.end();
  }
}

function holdWith(options: readonly string[], file: string): ChildProcess {
  mkdirSync(dirname(file), { recursive: true });
  return spawn("flock", [...options, file, "sh", "-c", "echo held; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true, // a Ctrl-C in the terminal must not drop the lock before the work it guards has ended
  });
}

function held(holder: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    createInterface({ input: holder.stdout! }).once("line", () => resolve());
    holder.once("error", reject);
    holder.once("exit", (code) => reject(new Error(`flock ended with ${code}`)));
  });
}
