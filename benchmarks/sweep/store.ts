import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { UserError } from "../../error.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { parseResult, type Result, schemaVersion } from "../result.ts";

/**
 * Results on disk, one file for each run: `<folder>/<cell>/<fingerprint>/<key>.json`. A file is written beside its place and then
 * renamed, so it is there completely or not at all, and the same run written twice is one file.
 */
export const RUN_FORMAT = "inference-stack/run-1";

/** Value of one setting of a cell. */
export type Setting = string | number | boolean;
export type Settings = Readonly<Record<string, Setting>>;

/** One run of one experiment. */
export interface Run {
  /** Key of the experiment with `benchmark.rerun` 0: what repeated runs of it have in common. */
  readonly cell: string;
  /** Which of the repeated runs, from 0. */
  readonly run: number;
  /** Stack that was deployed; empty for a result that was kept without one. */
  readonly stack: string;
  /** Config keys the cell sets over the stack's own config, such as `{"instances": 2, "benchmark.clients": 4}`. */
  readonly settings: Settings;
  /** What was chosen, by part (`image`, `client code`, ...), so that it can be said what differs. Values are short texts or hashes. */
  readonly chosen: Readonly<Record<string, string>>;
  /** Of `result.environment` (benchmarks/fingerprint.ts). */
  readonly fingerprint: string;
  /** It was made to confirm a winner, and counts for nothing else. */
  readonly isConfirmation?: boolean;
  /** How long the deployment took, measuring included, in seconds; absent where somebody else had begun it. */
  readonly seconds?: number;
  /** Of these, what was neither warm-up nor measuring. */
  readonly overheadSeconds?: number;
  /** What changed against the deployment before it: the servers, or nothing but the load. */
  readonly change?: "servers" | "load";
  readonly result: Result;
}

export interface StoredRun extends Run {
  /** Path of its file. */
  readonly file: string;
}

/** A file that is no run, and why. */
export interface Skipped {
  readonly file: string;
  readonly why: string;
}

/** Where a run belongs in its folder. */
export const placeOf = ({ cell, fingerprint, result }: Pick<Run, "cell" | "fingerprint" | "result">): string =>
  join(cell, fingerprint, `${result.key}.json`);

/** Keeps a run. @returns path of its file */
export function writeRun(folder: string, run: Run): string {
  const file = join(folder, placeOf(run));
  const body = { format: RUN_FORMAT, ...run };
  writeWhole(file, `${JSON.stringify({ ...body, sha256: digest(body) }, null, 1)}\n`);
  return file;
}

/** What is in a folder of runs. */
export interface Stored {
  readonly runs: StoredRun[];
  readonly skipped: Skipped[];
  /** Files of ours that are something else, parsed, by their paths. */
  readonly others: ReadonlyMap<string, unknown>;
}

/**
 * All runs of a folder, or of a part of one, or of a single file, in order of time, and the files that are none. A plain result, as
 * `npm start` keeps it, is a run of a cell of its own. A folder that is not there has no runs.
 */
export async function readRuns(path: string): Promise<Omit<Stored, "others">> {
  const { runs, skipped } = await readFolder(path);
  return { runs, skipped };
}

/** The same, with what else of ours is there. */
export async function readFolder(path: string): Promise<Stored> {
  const runs: StoredRun[] = [];
  const skipped: Skipped[] = [];
  const others = new Map<string, unknown>();
  for (const file of filesOf(path))
    try {
      const text = await readFile(file, "utf8");
      const value = parse(text) as Parsed | null;
      if (value === null || typeof value !== "object") throw new UserError("it is not a result");
      if (isOther(value)) others.set(file, value);
      else runs.push({ ...runOf(value, text, resolve(file)), file });
    } catch (error) {
      skipped.push({ file, why: (error as Error).message });
    }
  const started = ({ result }: Run) => Date.parse(result.startedAt);
  return { runs: runs.sort((a, b) => started(a) - started(b)), skipped, others };
}

function filesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
}

type Parsed = Partial<Run & { format: string; sha256: string }> & Partial<Result>;

const isOther = ({ schemaVersion, format }: Parsed): boolean =>
  schemaVersion === undefined && format !== RUN_FORMAT && format?.startsWith("inference-stack/") === true;

function runOf(value: Parsed, text: string, file: string): Run {
  if (value.schemaVersion !== undefined) return plainRun(parseResult(text));
  if (value.format !== RUN_FORMAT)
    throw new UserError(`it is not a result (format ${JSON.stringify(value.format) ?? "missing"}, not ${RUN_FORMAT})`);
  const { sha256, ...body } = value;
  if (sha256 !== digest(body)) throw new UserError("its content is not what was written (the checksum differs)");
  const { format: _, ...run } = body as Run & { format: string };
  if (!file.endsWith(sep + placeOf(run)))
    throw new UserError(`it belongs to ${placeOf(run)}; was it renamed or copied?`);
  if (run.result.schemaVersion !== schemaVersion)
    throw new UserError(
      `its result has schema version ${run.result.schemaVersion}; this program reads ${schemaVersion}`,
    );
  if (fingerprintOf(run.result) !== run.fingerprint)
    throw new UserError("its fingerprint is not that of its environment");
  return run;
}

function plainRun(result: Result): Run {
  const fingerprint = fingerprintOf(result);
  return {
    cell: result.key || "by-hand",
    run: 0,
    stack: "",
    settings: {},
    chosen: {},
    fingerprint,
    seconds: 0,
    result,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`it is not JSON: ${(error as Error).message}`);
  }
}

const digest = (body: object): string => createHash("sha256").update(JSON.stringify(body)).digest("hex");

/** Writes a file in one step, and not before its content is on the disk. */
export function writeWhole(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  const fresh = `${file}.${randomUUID()}.tmp`;
  const fd = openSync(fresh, "wx");
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, file);
}
