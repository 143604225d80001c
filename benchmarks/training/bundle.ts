import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bundle, bundle } from "../../bundle.ts";

/** The program that waits for a training and writes its result. */
export const bundleCollector = (): Promise<Bundle> => bundle(import.meta.dirname, "main.ts", "cjs");

/** The training itself, by the name of the file: Python, as it is. */
export const trainingProgram = (): Record<string, string> =>
  Object.fromEntries(
    ["train.py", "networks.py"].map((file) => [file, readFileSync(join(import.meta.dirname, "program", file), "utf8")]),
  );
