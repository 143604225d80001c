import { join } from "node:path";
import { run } from "../../local/exec.ts";
import { instance } from "../../local/paths.ts";

/** The cluster of the tests is an instance of its own, beside whatever runs for this checkout. */
export const testInstance = `${instance}-test`;

/** Starts from nothing, whatever a killed run left, and leaves nothing. */
export default async function setup() {
  const purge = () =>
    run(process.execPath, [join(import.meta.dirname, "../../local/cli.ts"), "stop", "--purge"], {
      env: { ...process.env, INFERENCE_STACK_INSTANCE: testInstance },
    });
  await purge();
  return purge;
}
