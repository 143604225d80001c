import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bundle, bundle } from "../../bundle.ts";
import { seldonText } from "../client/protocols/seldon-proto.ts";
import { tensorText } from "../client/protocols/tensor-proto.ts";
import { v2Text } from "../client/protocols/v2-proto.ts";

/** The program that waits for a run of Locust and writes its result. */
export const bundleLocustCollector = (): Promise<Bundle> => bundle(import.meta.dirname, "main.ts", "cjs");

const FILES = ["locustfile.py", "protocols.py", "report.py", "access.py"];
/** The load client's own messages. */
const MESSAGES = { "v2.proto": v2Text, "seldon.proto": seldonText, "tensor.proto": tensorText };

/** The locustfile and what it imports, by the name of the file. */
export const locustProgram = (): Record<string, string> => ({
  ...Object.fromEntries(FILES.map((file) => [file, readFileSync(join(import.meta.dirname, "program", file), "utf8")])),
  ...MESSAGES,
});
