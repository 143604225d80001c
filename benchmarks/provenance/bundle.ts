import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { UserError } from "../../error.ts";
import { parseResult, type Result } from "../result.ts";
import { writeWhole } from "../sweep/store.ts";

export const BUNDLE_FORMAT = "inference-stack/bundle-1";

/** Everything that a result comes from, in one file: enough to look at it years later, and to measure it again. */
export interface Bundle {
  readonly stack: string;
  /** The stack's config without what only its machine knew, with the prefixes of its keys. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Version of the program, if it was a checkout of Git: commit, with `+` if something was changed. */
  readonly program: string | null;
  /** The experiment by parts (image, client code, model, CPU plan, load, ...): short texts or hashes. */
  readonly chosen: Readonly<Record<string, string>>;
  /** Image references by name, as they were asked for. Digests that ran are in `result.environment.servers`. */
  readonly images: Readonly<Record<string, string>>;
  /** What the nodes said of themselves. */
  readonly nodes: readonly NodeFacts[];
  /** Objects of Kubernetes as the program asked for them; the load client's code is in one of them. Secrets are masked. */
  readonly manifests: readonly Manifest[];
  readonly result: Result;
}

export interface NodeFacts {
  readonly name: string;
  readonly kernel: string;
  readonly os: string;
  readonly kubelet: string;
  readonly containerRuntime: string;
  readonly architecture: string;
  readonly capacity: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly type: string;
  readonly name: string;
  readonly object: unknown;
}

/** Keeps a bundle: gzipped JSON with a checksum. */
export function writeBundle(file: string, bundle: Bundle): void {
  const text = JSON.stringify(bundle);
  writeWhole(file, gzipSync(JSON.stringify({ format: BUNDLE_FORMAT, sha256: digest(text), bundle: text })));
}

/** @throws UserError that says why the file is no bundle */
export function readBundle(file: string): Bundle {
  const { format, sha256, bundle } = envelope(file);
  if (format !== BUNDLE_FORMAT)
    throw new UserError(`${file} is no bundle of a result (format ${JSON.stringify(format)}, not ${BUNDLE_FORMAT}).`);
  if (typeof bundle !== "string" || digest(bundle) !== sha256)
    throw new UserError(`${file}: its content is not what was written (the checksum differs).`);
  const value = JSON.parse(bundle) as Bundle;
  return { ...value, result: parseResult(JSON.stringify(value.result)) };
}

function envelope(file: string): { format?: unknown; sha256?: unknown; bundle?: unknown } {
  try {
    return JSON.parse(gunzipSync(readFileSync(file)).toString());
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      throw new UserError(`There is no file ${file}.`, "`npm start` names the bundle of a result.");
    throw new UserError(`${file} is no bundle of a result: ${message}.`);
  }
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
