import type { StoredRun } from "../sweep/store.ts";
import { type Cell, inWords } from "./cells.ts";

/** Columns of the table, the same in HTML, CSV and Markdown. Times in ms. */
export const columns = [
  "configuration",
  "requestedRate",
  "requestsPerSecond",
  "inferencesPerSecond",
  "p50Ms",
  "p90Ms",
  "p99Ms",
  "maxMs",
  "errors",
  "wrong",
  "verdict",
  "reasons",
  "startedAt",
  "kernel",
  "cpuModel",
  "fingerprint",
  "key",
  "file",
] as const;

export type Column = (typeof columns)[number];
export type Row = Readonly<Record<Column, string | number | null>>;

/** One row for each run, cell by cell. */
export const rowsOf = (cells: readonly Cell[]): Row[] =>
  cells.flatMap(({ dimensions, runs }) => runs.map((run) => rowOf(inWords(dimensions), run)));

function rowOf(configuration: string, { result, fingerprint, file }: StoredRun): Row {
  const { latencyMs, load, throughput, errors, correctness, verdict, environment } = result;
  return {
    configuration,
    requestedRate: load.schedule?.requestsPerSecond ?? null,
    requestsPerSecond: throughput.requestsPerSecond,
    inferencesPerSecond: throughput.inferencesPerSecond,
    p50Ms: latencyMs.p50,
    p90Ms: latencyMs.p90,
    p99Ms: latencyMs.p99,
    maxMs: latencyMs.max,
    errors: errors.total,
    wrong: correctness.wrong,
    verdict: verdict.valid ? "VALID" : "INVALID",
    reasons: verdict.reasons.join(" "),
    startedAt: result.startedAt,
    kernel: environment.kernel,
    cpuModel: environment.cpuModel,
    fingerprint,
    key: result.key,
    file,
  };
}

/** RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
export function csv(rows: readonly Row[]): string {
  const cell = (value: Row[keyof Row]) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns.join(","), ...rows.map((row) => columns.map((column) => cell(row[column])).join(","))]
    .map((line) => `${line}\r\n`)
    .join("");
}
