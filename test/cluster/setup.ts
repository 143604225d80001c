import { join } from "node:path";
import { run } from "../../local/exec.ts";

/**
 * The cluster of the tests is an instance of its own, beside whatever runs for this checkout, and is gone afterwards.
 * The name is set here because this runs before, and around, everything that reads it.
 */
export default async function setup() {
  const { instance } = await import("../../local/paths.ts");
  process.env.INFERENCE_STACK_INSTANCE = `${instance}-test`;
  const cli = (...args: string[]) => run(process.execPath, [join(import.meta.dirname, "../../local/cli.ts"), ...args]);
  await cli("stop", "--purge"); // what a killed run left
  return () => cli("stop", "--purge");
}
