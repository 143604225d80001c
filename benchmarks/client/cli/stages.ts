import { readFileSync } from "node:fs";
import { UserError } from "../../../error.ts";
import type { Stage } from "../../spec.ts";

/**
 * Stages of an open loop: `RATE:SECONDS` holds a rate, `/RATE:SECONDS` moves to it in a line from the rate before (0 at the
 * beginning); with commas between them, such as `100:10,/200:30,200:60`. Or the name of a JSON file, ending in `.json`,
 * that holds a list of `{"rate", "durationSeconds", "ramp"}`.
 *
 * @throws UserError for anything else
 */
export function parseStages(text: string): Stage[] {
  const stages = text.endsWith(".json")
    ? readStages(text)
    : text.split(",").map((part, i) => parseStage(part, i, text));
  if (!stages.some(({ rate }) => rate > 0))
    throw new UserError(
      `--stages ${text} never sends anything: every rate is 0. Give at least one stage a rate above 0.`,
    );
  return stages;
}

const number = String.raw`(\d+(?:\.\d+)?)`;
const notation = new RegExp(`^\\s*(/?)\\s*${number}\\s*:\\s*${number}\\s*s?\\s*$`);

function parseStage(part: string, index: number, all: string): Stage {
  const [, slope, rate, seconds] = notation.exec(part) ?? [];
  if (rate === undefined || Number(seconds) === 0)
    throw new UserError(
      `--stages ${all}: stage ${index + 1}, "${part.trim()}", is not RATE:SECONDS (hold a rate) or /RATE:SECONDS (ramp to it); an example is 100:10,/200:30.`,
    );
  return { rate: Number(rate), durationSeconds: Number(seconds), ...(slope && { ramp: true }) };
}

function readStages(file: string): Stage[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UserError(`Cannot read the stages from ${file}: ${(error as Error).message}.`);
  }
  const example = `an example is [{"rate": 100, "durationSeconds": 10}, {"rate": 200, "durationSeconds": 30, "ramp": true}]`;
  if (!Array.isArray(value) || value.length === 0)
    throw new UserError(`${file} must hold a list of stages with at least one entry; ${example}.`);
  return value.map((stage, i) => {
    const fault = stageFault(stage);
    if (fault) throw new UserError(`${file}: stage ${i + 1}: ${fault}; ${example}.`);
    const { rate, durationSeconds, ramp } = stage as Stage;
    return { rate, durationSeconds, ...(ramp && { ramp }) };
  });
}

function stageFault(stage: unknown): string | undefined {
  if (typeof stage !== "object" || stage === null) return `it is ${JSON.stringify(stage)}, not an object`;
  const { rate, durationSeconds, ramp, ...unknown } = stage as Record<string, unknown>;
  const [stranger] = Object.keys(unknown);
  if (stranger) return `there is no "${stranger}"; allowed are "rate", "durationSeconds" and "ramp"`;
  if (!Number.isFinite(rate) || (rate as number) < 0)
    return `"rate" must be a number from 0 (requests per second), not ${JSON.stringify(rate)}`;
  if (!Number.isFinite(durationSeconds) || (durationSeconds as number) <= 0)
    return `"durationSeconds" must be a number above 0, not ${JSON.stringify(durationSeconds)}`;
  if (ramp !== undefined && typeof ramp !== "boolean")
    return `"ramp" must be true or false, not ${JSON.stringify(ramp)}`;
  return undefined;
}
