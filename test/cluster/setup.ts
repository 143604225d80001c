import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../local/exec.ts";
import { instance, instancesDir } from "../../local/paths.ts";

/** The clusters of the tests are instances of their own, beside whatever runs for this checkout: what their names begin with. */
export const testInstance = `${instance}-test`;

/** Starts from nothing, whatever a killed run left, and leaves nothing. */
export default async function setup() {
  await purge();
  return purge;
}

async function purge(): Promise<void> {
  mkdirSync(instancesDir, { recursive: true });
  for (const name of readdirSync(instancesDir).filter((name) => name.startsWith(testInstance)))
    await run(process.execPath, [join(import.meta.dirname, "../../local/cli.ts"), "stop", "--purge"], {
      env: { ...process.env, INFERENCE_STACK_INSTANCE: name },
    });
}
