import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../../error.ts";
import { readRuns } from "../sweep/store.ts";
import { type Comparison, compare } from "./compare.ts";
import { ACCEPTABLE } from "./obstacles.ts";
import { comparisonAs, type Format } from "./output.ts";

export interface CompareArguments {
  /** File or folder of results. */
  readonly base: string;
  readonly new: string;
  readonly output: Format;
  /** Where the output goes. Default: standard output. */
  readonly outputFile?: string;
  readonly accept: readonly string[];
  readonly falseAlarmRate: number;
}

/** Exit codes: something was slower; nothing could be said. */
export const exitCodes: Readonly<Record<Comparison["verdict"], number>> = {
  "not slower": 0,
  slower: 2,
  "not comparable": 3,
};

/** `npm run compare`. @returns the exit code */
export async function runCompare(options: CompareArguments): Promise<number> {
  const { accept, falseAlarmRate, output, outputFile } = options;
  for (const part of accept)
    if (!ACCEPTABLE.includes(part))
      throw new UserError(
        `--accept: ${JSON.stringify(part)} is no part of the environment; there is ${ACCEPTABLE.join(", ")}.`,
      );
  if (!(falseAlarmRate > 0 && falseAlarmRate < 0.5))
    throw new UserError(`--false-alarm-rate: ${falseAlarmRate} must be a share above 0 and below 0.5, such as 0.01.`);
  const comparison = compare(await sideOf(options.base), await sideOf(options.new), { accept, falseAlarmRate });
  const text = `${comparisonAs(output, comparison)}\n`;
  if (outputFile === undefined) process.stdout.write(text);
  else {
    mkdirSync(dirname(outputFile), { recursive: true });
    writeFileSync(outputFile, text);
  }
  return exitCodes[comparison.verdict];
}

async function sideOf(name: string) {
  if (!existsSync(name)) throw new UserError(`${name}: there is no such file or folder of results.`);
  const { runs, skipped } = await readRuns(name);
  for (const { file, why } of skipped) process.stderr.write(`skipped ${file}: ${why}\n`);
  if (runs.length === 0) throw new UserError(`${name}: there is no result in it.`);
  return { name, runs };
}
