import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type RunOptions, run } from "../exec.ts";
import { withLock } from "../lock.ts";
import { cacheDir } from "../paths.ts";
import type { Purpose } from "./packages.ts";

/** Where a target's inputs come from; names the registry to check when it cannot be reached. */
export type Registry = "Debian packages" | "Go modules" | "npm" | "PyPI";

/** One thing to build: a file or folder whose path contains the key of its inputs, so that being there means being right. */
export interface Target {
  /** Stable and unique, such as `image:triton`. */
  readonly id: string;
  readonly title: string;
  /** The finished file or folder. */
  readonly path: string;
  readonly needs: readonly Target[];
  /** Debian packages its build calls. */
  readonly packages: readonly Purpose[];
  readonly registry?: Registry;
  /** Targets of one lane are built a few at a time. */
  readonly lane: "compile" | "other";
  /** Seconds it takes on two cores with empty caches. */
  readonly seconds: number;
  /** Disk it needs while it is built, downloads included, in megabytes. */
  readonly megabytes: number;
  /** Writes the result to `job.out`; it counts only once this returns. */
  build(job: Job): Promise<void>;
}

export interface Job {
  /** Where the result goes: does not exist yet, but its folder does. */
  readonly out: string;
  /** An empty folder that is removed afterwards. */
  readonly work: string;
  readonly signal?: AbortSignal;
  /** Runs a command that dies with this process. Its output goes to the target's log and, line by line, to the progress. */
  run(command: string, args: readonly string[], options?: Omit<RunOptions, "onLine" | "log">): Promise<string>;
}

export interface BuildEvents {
  /** Another run is building the same target. */
  waiting?(): void;
  line?(line: string): void;
}

/** Hash of inputs in order; twelve hex digits are enough to tell builds apart and short enough for an image tag. */
export function key(...inputs: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const input of inputs) hash.update(`${Buffer.byteLength(input)}:`).update(input);
  return hash.digest("hex").slice(0, 12);
}

export const isBuilt = (target: Target): boolean => existsSync(target.path);

/** Days that a result which no command uses any more is kept. */
const KEEP_DAYS = 14;

/** Keeps a result from being tidied away. */
export function markUsed(target: Target): void {
  const now = new Date();
  if (isBuilt(target)) utimesSync(target.path, now, now);
}

/** Removes results of the same name that were made from other inputs and that no command has used for long. */
function tidy(target: Target): void {
  const folder = dirname(target.path);
  const [stem, suffix] = basename(target.path).split(/[0-9a-f]{12}/);
  if (stem === undefined || suffix === undefined) return; // named after a version, not a key
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    const isOther =
      path !== target.path &&
      entry.startsWith(stem) &&
      /^[0-9a-f]{12}$/.test(entry.slice(stem.length, entry.length - suffix.length));
    if (isOther && Date.now() - statSync(path).mtimeMs > KEEP_DAYS * 86_400_000)
      rmSync(path, { recursive: true, force: true });
  }
}

export const logFile = (target: Pick<Target, "id">): string => join(cacheDir, "logs", `${fileName(target)}.log`);

/**
 * Makes sure that a target is there. Killed at any moment it leaves nothing that could pass for a result: the build writes
 * under a temporary name in the same file system and renames. Two runs at once build once: the second waits and finds it.
 */
export async function make(target: Target, events: BuildEvents = {}, signal?: AbortSignal): Promise<void> {
  if (isBuilt(target)) return;
  const name = fileName(target);
  const build = async () => {
    if (isBuilt(target)) return;
    const parent = join(cacheDir, "tmp");
    mkdirSync(parent, { recursive: true });
    // The lock is ours, so what an earlier run of this target left behind belongs to nobody.
    for (const entry of readdirSync(parent)) {
      if (entry.startsWith(`${name}.`)) rmSync(join(parent, entry), { recursive: true, force: true });
    }
    const folder = join(parent, `${name}.${randomBytes(4).toString("hex")}`);
    const work = join(folder, "work");
    mkdirSync(work, { recursive: true });
    mkdirSync(dirname(target.path), { recursive: true });
    mkdirSync(dirname(logFile(target)), { recursive: true });
    rmSync(logFile(target), { force: true });
    try {
      const out = join(folder, "out");
      await target.build({ out, work, signal, run: runner(target, events, signal) });
      if (!existsSync(out) || (statSync(out).isDirectory() && readdirSync(out).length === 0)) {
        throw new Error(`the build of ${target.id} ended without a result`);
      }
      renameSync(out, target.path);
      markUsed(target);
      tidy(target);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  await withLock(join(cacheDir, "locks", `${name}.lock`), build, events.waiting);
}

function runner(target: Target, events: BuildEvents, signal?: AbortSignal): Job["run"] {
  return (command, args, options = {}) =>
    run("setpriv", [...dyingTogether(), command, ...args], {
      signal,
      killSignal: "SIGKILL",
      ...options,
      log: logFile(target),
      onLine: events.line,
    }).catch((error: Error) => {
      error.message = error.message.replace(/^setpriv .*? ended/, `${command} ended`); // the user does not know of setpriv
      throw error;
    });
}

/**
 * Arguments of setpriv that tie a command to this process, which the kernel does not do by itself: however this process
 * ends, the command ends; and as root, in a process and mount namespace of its own, so do its children and mounts.
 */
const dyingTogether = (): string[] => {
  const namespace =
    process.getuid?.() === 0 ? ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"] : [];
  return ["--pdeathsig", "KILL", "--", ...namespace];
};

const fileName = (target: Pick<Target, "id">) => target.id.replaceAll(":", "-");
