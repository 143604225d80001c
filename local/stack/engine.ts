import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { run } from "../exec.ts";
import { checkout, state } from "../paths.ts";
import { installPlugins } from "../plugins/install.ts";
import { PROJECT } from "./config.ts";

/** The Pulumi command line with a home, a backend and plugins of this instance's own. */
export interface Engine {
  /** Path of the executable. */
  readonly executable: string;
  /** Environment it is run in. */
  readonly env: NodeJS.ProcessEnv;
  /** Runs it in the foreground, on this terminal; resolves to its exit code. */
  attach(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<number>;
  /** Runs it quietly and returns what it printed, however it ended. */
  capture(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Runs it quietly and returns what it printed. */
  read(args: readonly string[], cwd?: string): Promise<string>;
}

/** @param pulumi path of the executable */
export async function openEngine(pulumi: string): Promise<Engine> {
  const bin = join(state.pulumiHome, "bin");
  for (const folder of [bin, state.backend]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(state.passphrase))
    writeFileSync(state.passphrase, randomBytes(24).toString("base64url"), { mode: 0o600 });
  await installPlugins(state.pulumiHome, bin, process.execPath);
  const executable = existsSync(join(dirname(pulumi), "pulumi-language-nodejs"))
    ? pulumi
    : beside(pulumi, join(bin, "pulumi"));
  const env = {
    ...process.env,
    PATH: [dirname(executable), dirname(process.execPath), process.env.PATH].join(delimiter),
    PULUMI_HOME: state.pulumiHome,
    PULUMI_BACKEND_URL: `file://${state.backend}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: state.passphrase,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: "true",
    PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS: "false",
  };
  return {
    executable,
    env,
    attach: (args, more) =>
      new Promise((resolve, reject) => {
        const child = spawn(executable, args, { cwd: checkout, env: { ...env, ...more }, stdio: "inherit" });
        // A Ctrl-C goes to the engine, which then ends in good order; we wait for that.
        const hold = () => {};
        process.on("SIGINT", hold);
        child.once("error", reject);
        child.once("exit", (code, signal) => {
          process.off("SIGINT", hold);
          resolve(signal ? 130 : (code ?? 1));
        });
      }),
    capture: (args, more) =>
      new Promise((resolve, reject) => {
        const child = spawn(executable, [...args, "--non-interactive"], { cwd: checkout, env: { ...env, ...more } });
        const texts = { stdout: "", stderr: "" };
        for (const name of ["stdout", "stderr"] as const)
          child[name].setEncoding("utf8").on("data", (text: string) => {
            texts[name] += text;
          });
        child.once("error", reject);
        child.once("close", (code) => resolve({ code: code ?? 1, ...texts }));
      }),
    read: (args, cwd = checkout) => run(executable, [...args, "--non-interactive"], { cwd, env }),
  };
}

/** Puts the engine itself beside the language host, where it looks first and finds it without a warning. */
function beside(pulumi: string, link: string): string {
  if (
    existsSync(link) &&
    statSync(link).size === statSync(pulumi).size &&
    statSync(link).mtimeMs === statSync(pulumi).mtimeMs
  )
    return link;
  rmSync(link, { force: true });
  try {
    linkSync(pulumi, link);
  } catch {
    cpSync(pulumi, link, { preserveTimestamps: true }); // another file system
  }
  return link;
}

/** The file in which the backend keeps the stack's state. It is there once the stack was created. */
export const checkpoint = (stack: string) => join(state.backend, ".pulumi", "stacks", PROJECT, `${stack}.json`);

/**
 * Makes the stack usable after whatever ended the last command: creates it, drops the lock of a killed engine (the caller
 * holds the instance's own lock, so no other engine of ours is at work).
 */
export async function openStack(engine: Engine, stack: string): Promise<void> {
  if (!existsSync(checkpoint(stack))) {
    // Creating a stack writes its salt beside Pulumi.yaml; in this folder that is our copy and not the checkout's file.
    copyFileSync(join(checkout, "Pulumi.yaml"), join(state.stacks, "Pulumi.yaml"));
    await engine.read(["stack", "init", stack, "--no-select"], state.stacks);
  }
  const locks = join(state.backend, ".pulumi", "locks", "organization", PROJECT, stack);
  if (existsSync(locks) && readdirSync(locks).length > 0) await engine.read(["cancel", stack, "--yes"]);
}
