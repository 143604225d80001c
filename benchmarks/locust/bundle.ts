import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bundle, bundle } from "../../bundle.ts";

/** The program that waits for a run of Locust and writes its result. */
export const bundleLocustCollector = (): Promise<Bundle> => bundle(import.meta.dirname, "main.ts", "cjs");

const FILES = ["locustfile.py", "protocols.py", "report.py", "access.py", "v2.proto", "seldon.proto"];

/** The locustfile and what it imports, by the name of the file: as they are. */
export const locustProgram = (): Record<string, string> =>
  Object.fromEntries(FILES.map((file) => [file, readFileSync(join(import.meta.dirname, "program", file), "utf8")]));
