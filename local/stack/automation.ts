import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LocalWorkspace, PulumiCommand, type Stack } from "@pulumi/pulumi/automation/index.js";
import { withLock } from "../lock.ts";
import { checkout, stateDir } from "../paths.ts";
import type { Engine } from "./engine.ts";

/** Held by every engine that runs, and not by who started it: one whose starter was killed still works for a while. */
const engineLock = join(stateDir, "engine.lock");

/** The stack in Pulumi's Automation API, in the engine's own environment. It must exist. */
export async function openAutomation(engine: Engine, stack: string): Promise<Stack> {
  const pulumiCommand = await PulumiCommand.get({ root: locking(engine.executable), skipVersionCheck: true });
  const envVars = Object.fromEntries(
    Object.entries(engine.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return LocalWorkspace.selectStack({ stackName: stack, workDir: checkout }, { pulumiCommand, envVars });
}

/** Returns when no engine of a command that was killed is at work any more. */
export const engineIdle = (onWait: () => void): Promise<void> => withLock(engineLock, async () => {}, onWait);

/** A folder whose `bin/pulumi` is the engine, under that lock. */
function locking(executable: string): string {
  const root = join(stateDir, "automation");
  const file = join(root, "bin", "pulumi");
  mkdirSync(join(root, "bin"), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nexec flock --no-fork ${quote(engineLock)} ${quote(executable)} "$@"\n`);
  chmodSync(file, 0o755);
  return root;
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
