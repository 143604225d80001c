import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The checkout this command line belongs to. */
export const checkout = resolve(import.meta.dirname, "..");

const xdg = (variable: string, fallback: string) =>
  join(process.env[variable] || join(homedir(), fallback), "inference-stack");

/** Shared by all checkouts, safe to delete: builds, images, models, Go and npm downloads. Each keyed by its inputs. */
export const cacheDir = xdg("XDG_CACHE_HOME", ".cache");

/** One instance (cluster, Pulumi state, results) per checkout, so that two checkouts never meet. */
export const instance =
  process.env.INFERENCE_STACK_INSTANCE || createHash("sha256").update(checkout).digest("hex").slice(0, 8);

/** All instances of this user. */
export const instancesDir = xdg("XDG_STATE_HOME", join(".local", "state"));

/** What this instance must remember between commands. */
export const stateDir = join(instancesDir, instance);

/** Paths inside the state folder of this instance. */
export const state = {
  cluster: join(stateDir, "cluster"),
  kubeconfig: join(stateDir, "cluster", "kubeconfig"),
  pulumiHome: join(stateDir, "pulumi"),
  backend: join(stateDir, "backend"),
  passphrase: join(stateDir, "passphrase"),
  stacks: join(stateDir, "stacks"),
  results: join(stateDir, "results"),
  sweeps: join(stateDir, "sweeps"),
};
