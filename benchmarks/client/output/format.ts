import type { Result } from "../../result.ts";
import { table } from "../table.ts";
import { csv } from "./csv.ts";
import { hgrm } from "./hgrm.ts";

/** How a result can be printed. `guide` is made of the single requests, all others of the result. */
export const formats = ["table", "json", "csv", "hgrm", "guide"] as const;

export type Format = (typeof formats)[number];

/** A result as text, ending with a line break. */
export const printed: Readonly<Record<Exclude<Format, "guide">, (result: Result) => string>> = {
  table: (result) => `${table(result)}\n`,
  json: (result) => `${JSON.stringify(result, null, 2)}\n`,
  csv,
  hgrm,
};

/** What formats leave out that have no room for it: one line for each thing that makes the run invalid. */
export const invalidLines = ({ verdict }: Result): string =>
  verdict.reasons.map((reason) => `INVALID: ${reason}\n`).join("");
