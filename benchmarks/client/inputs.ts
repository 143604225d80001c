import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../error.ts";
import type { InputManifest } from "../spec.ts";

/** One thing to send, and what a right answer to it is. */
export interface Input {
  readonly name: string;
  /** Open Inference Protocol name of the element type. */
  readonly datatype: "FP32" | "BYTES";
  /** Without the batch dimension; for BYTES [], or [1] where the server wants a dimension for the one element. */
  readonly shape: readonly number[];
  /** Little-endian elements, row by row; for BYTES the file as it is, without the length that V2 puts before it. */
  readonly data: Buffer;
  /** Classes that count as a right answer: indexes, or names where the server answers with names. */
  readonly labels: ReadonlySet<number | string>;
}

/**
 * Reads a folder of inputs: `manifest.json` and the files it names. A batch is made of any of them, so all have the same
 * datatype and shape.
 *
 * @throws UserError if anything is missing or is not what the manifest says
 */
export function readInputs(folder: string): Input[] {
  const file = join(folder, "manifest.json");
  const manifest = parseManifest(file, read(file));
  return manifest.inputs.map((entry) => {
    const path = join(folder, entry.file);
    const data = read(path);
    const digest = createHash("sha256").update(data).digest("hex");
    if (digest !== entry.sha256)
      throw new UserError(
        `${path} has SHA-256 ${digest}, but the manifest says ${entry.sha256}. Fetch the inputs again.`,
      );
    const fault = dataFault(entry, data);
    if (fault) throw new UserError(`${path} ${fault}`);
    return {
      name: entry.name,
      datatype: entry.datatype,
      shape: entry.shape,
      data,
      labels: new Set(entry.labels),
    };
  });
}

function parseManifest(file: string, text: Buffer): InputManifest {
  let manifest: InputManifest;
  try {
    manifest = JSON.parse(text.toString());
  } catch (error) {
    throw new UserError(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(manifest?.inputs) || manifest.inputs.length === 0)
    throw new UserError(`${file} lists no inputs. It needs at least one entry under "inputs".`);
  for (const [i, entry] of manifest.inputs.entries()) {
    const fault = entryFault(entry);
    if (fault) throw new UserError(`${file}: inputs[${i}]${entry?.name ? ` (${entry.name})` : ""}: ${fault}`);
  }
  const [first, ...others] = manifest.inputs;
  const other = others.find(({ datatype, shape }) => datatype !== first!.datatype || `${shape}` !== `${first!.shape}`);
  if (other)
    throw new UserError(
      `${file}: ${other.name} is ${other.datatype} of shape [${other.shape}], but ${first!.name} is ${first!.datatype} of shape [${first!.shape}]. All inputs must be of one kind.`,
    );
  return manifest;
}

function dataFault({ datatype, shape }: Entry, data: Buffer): string | undefined {
  if (datatype === "BYTES") return data.length === 0 ? "is empty." : undefined;
  const bytes = shape.reduce((product, size) => product * size, 4);
  return data.length === bytes
    ? undefined
    : `has ${data.length} bytes, but ${datatype} of shape [${shape}] takes ${bytes}.`;
}

type Entry = InputManifest["inputs"][number];

function entryFault(entry: Entry): string | undefined {
  const isSize = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
  if (typeof entry?.name !== "string") return `"name" must be a string`;
  if (typeof entry.file !== "string") return `"file" must be a string`;
  if (entry.datatype !== "FP32" && entry.datatype !== "BYTES")
    return `"datatype" must be FP32 or BYTES, not ${JSON.stringify(entry.datatype)}`;
  if (!Array.isArray(entry.shape) || !entry.shape.every(isSize)) return `"shape" must be a list of sizes`;
  if (entry.datatype === "BYTES" && entry.shape.some((size) => size !== 1))
    return `"shape" must be [] or [1] for BYTES, not [${entry.shape}]: a file is one element`;
  const isLabel = (label: unknown) => isSize(label) || (typeof label === "string" && label !== "");
  if (!Array.isArray(entry.labels) || entry.labels.length === 0 || !entry.labels.every(isLabel))
    return `"labels" must be a list of class indexes or names with at least one entry`;
  return undefined;
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UserError(`Cannot read the inputs: ${(error as Error).message}.`);
  }
}

/**
 * An endless sequence of indexes below `length`, the same for the same seed: every index comes once in each round,
 * in an order that is drawn anew for each round, so that all inputs are sent equally often.
 */
export function drawOrder(length: number, seed: number): () => number {
  const random = mulberry32(seed);
  const round = Array.from({ length }, (_, i) => i);
  let next = length;
  return () => {
    if (next === length) {
      for (let i = length - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [round[i], round[j]] = [round[j]!, round[i]!];
      }
      next = 0;
    }
    return round[next++]!;
  };
}

/** Tommy Ettinger's mulberry32: a small seeded generator of numbers in [0, 1), good enough for shuffling. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
