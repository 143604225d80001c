import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import { UserError } from "../../error.ts";
import { checkout, state } from "../paths.ts";

export const PROJECT = "inference-stack";

type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export interface StackFile {
  config?: Record<string, Value>;
  [setting: string]: unknown;
}

/** Files that stand in for those of the checkout, for this command. */
const inPlaceOf = new Map<string, StackFile>();

/** Lets this command work with a config that is in no file of the checkout. */
export function useStackFile(stack: string, file: StackFile): void {
  inPlaceOf.set(stack, file);
}

/** The stack's file as the user keeps it in the checkout. */
export function readStackFile(stack: string): StackFile {
  const other = inPlaceOf.get(stack);
  if (other) return other;
  const file = join(checkout, `Pulumi.${stack}.yaml`);
  if (!existsSync(file)) {
    const known = readdirSync(checkout).flatMap((f) => /^Pulumi\.(.+)\.yaml$/.exec(f)?.[1] ?? []);
    throw new UserError(
      `there is no stack "${stack}": Pulumi.${stack}.yaml does not exist`,
      `stacks here: ${known.join(", ")}`,
    );
  }
  return (load(readFileSync(file, "utf8")) as StackFile | undefined) ?? {};
}

/** A project key's value in the stack's file, read without the program's checks. */
export function configOf(stack: string, key: string): Value | undefined {
  return readStackFile(stack).config?.[`${PROJECT}:${key}`];
}

/** A project key's value in the engine's copy of the stack's file: what the last command worked with. */
export function lastConfigOf(stack: string, key: string): Value | undefined {
  const file = stackFile(stack);
  if (!existsSync(file)) return undefined;
  return (load(readFileSync(file, "utf8")) as StackFile | undefined)?.config?.[`${PROJECT}:${key}`];
}

export const stackFile = (stack: string) => join(state.stacks, `Pulumi.${stack}.yaml`);

/**
 * Writes the copy of the stack's file that the engine reads and writes (it adds its salt), so that the checkout stays
 * clean: the user's file, over it what this machine adds (`local`), over it what the command line sets.
 *
 * @param sets `key=value` with dotted keys, such as `benchmark.clients=4`; values are JSON where they parse as such
 */
export function writeStackFile(stack: string, local: Record<string, Value>, sets: readonly string[]): string {
  const file = stackFile(stack);
  const before = existsSync(file) ? ((load(readFileSync(file, "utf8")) as StackFile | undefined) ?? {}) : {};
  const { config: _, ...settings } = readStackFile(stack);
  mkdirSync(state.stacks, { recursive: true });
  // The stack's secrets are encrypted with the salt it was created with.
  const salt = before.encryptionsalt === undefined ? {} : { encryptionsalt: before.encryptionsalt };
  const config = mergedConfig(stack, local, sets);
  writeFileSync(file, dump({ ...settings, ...salt, config }), { mode: 0o600 });
  return file;
}

/** The config of that copy, with its prefixes. */
export function mergedConfig(
  stack: string,
  local: Record<string, Value>,
  sets: readonly string[],
): Record<string, Value> {
  const merged: Record<string, Value> = { ...readStackFile(stack).config };
  for (const [key, value] of Object.entries(local)) {
    const name = `${PROJECT}:${key}`;
    merged[name] = isObject(value) && isObject(merged[name]) ? { ...merged[name], ...value } : value;
  }
  for (const set of sets) assign(merged, set);
  return merged;
}

/** The program's own part of it, without prefixes. */
export function completeConfig(
  stack: string,
  local: Record<string, Value>,
  sets: readonly string[],
): Record<string, Value> {
  const own = Object.entries(mergedConfig(stack, local, sets)).filter(([key]) => key.startsWith(`${PROJECT}:`));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(PROJECT.length + 1), value]));
}

function assign(config: Record<string, Value>, set: string): void {
  const [, key, text] = /^([^=]+)=(.*)$/s.exec(set) ?? [];
  if (!key) throw new UserError(`--config ${set}: expected key=value, such as instances=2 or benchmark.clients=4`);
  const [first, ...path] = key.split(".");
  const name = first.includes(":") ? first : `${PROJECT}:${first}`;
  if (path.length === 0) {
    config[name] = parse(text);
    return;
  }
  let at: Record<string, Value> = isObject(config[name]) ? { ...config[name] } : {};
  config[name] = at;
  for (const part of path.slice(0, -1)) {
    const below = at[part];
    const copy: Record<string, Value> = isObject(below) ? { ...below } : {};
    at[part] = copy;
    at = copy;
  }
  at[path.at(-1)!] = parse(text);
}

function parse(text: string): Value {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isObject(value: Value | undefined): value is Record<string, Value> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
