import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../error.ts";
import { isOutcome, type Outcome } from "../search/outcome.ts";
import { readFolder, type Skipped, type StoredRun, writeWhole } from "../sweep/store.ts";
import { markdown } from "./markdown.ts";
import { page } from "./page.ts";
import { csv, rowsOf } from "./rows.ts";
import { reportOf } from "./sections.ts";

export interface ReportArguments {
  /** Files and folders of results. */
  readonly paths: readonly string[];
  /** Folder for report.html, report.csv and report.md. */
  readonly folder: string;
  readonly title: string;
  /** Milliseconds that p99 must not exceed. */
  readonly slo?: number;
}

/** `npm run report`: writes the report and says where. */
export async function runReport({ paths, folder, title, slo }: ReportArguments): Promise<void> {
  if (slo !== undefined && !(slo > 0)) throw new UserError(`--slo: ${slo} must be milliseconds above 0, such as 50.`);
  const { runs, skipped, searches } = await readAll(paths);
  for (const { file, why } of skipped) process.stderr.write(`skipped ${file}: ${why}\n`);
  if (runs.length === 0)
    throw new UserError(
      `There is no result in ${paths.join(", ") || "this checkout's folders"}.`,
      "`npm start` and `npm run sweep` keep results.",
    );
  const report = reportOf(runs, { title, createdAt: new Date().toISOString(), skipped, slo, searches });
  const rows = report.sections.flatMap(({ cells }) => rowsOf(cells));
  const files = { "report.html": page(report), "report.csv": csv(rows), "report.md": markdown(report) };
  for (const [name, text] of Object.entries(files)) {
    writeWhole(join(folder, name), text);
    process.stdout.write(`${join(folder, name)}\n`);
  }
}

/** The same file by two paths is one result. */
async function readAll(
  paths: readonly string[],
): Promise<{ runs: StoredRun[]; skipped: Skipped[]; searches: Outcome[] }> {
  const runs = new Map<string, StoredRun>();
  const skipped = new Map<string, Skipped>();
  const others = new Map<string, unknown>();
  for (const path of paths) {
    if (!existsSync(path)) throw new UserError(`${path}: there is no such file or folder of results.`);
    const read = await readFolder(path);
    for (const run of read.runs) runs.set(run.file, run);
    for (const { file, why } of read.skipped) skipped.set(file, { file, why: why.replaceAll("\n", " ") });
    for (const [file, value] of read.others) others.set(file, value);
  }
  const searches = [...others.values()].filter(isOutcome);
  return { runs: [...runs.values()], skipped: [...skipped.values()], searches };
}
