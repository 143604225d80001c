import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../../error.ts";
import type { Input } from "./inputs.ts";

/**
 * Reads a list of images, one on a line: its path, and the number of its class, such as `dog.jpeg 248`. Empty lines are
 * skipped.
 *
 * @param basePath folder that the paths start from. Default: the list's own
 * @param limit only the first images, this many. Default: all of them
 * @throws UserError that names the line if it is something else or its image cannot be read
 */
export function readImageList(file: string, { basePath, limit }: { basePath?: string; limit?: number } = {}): Input[] {
  const folder = basePath ?? dirname(file);
  const images: Input[] = [];
  for (const [i, line] of text(file, "the list of images").split(/\r?\n/).entries()) {
    if (images.length === limit) break;
    if (!line.trim()) continue;
    const [, path, label] = /^\s*(.*\S)\s+(\d+)\s*$/.exec(line) ?? [];
    if (path === undefined)
      throw new UserError(
        `${file}, line ${i + 1}: "${line.trim()}" is not the path of an image and the number of its class; an example is: dog.jpeg 248.`,
      );
    images.push(readImage(join(folder, path), path, Number(label)));
  }
  if (images.length === 0) throw new UserError(`${file} lists no images. It needs lines such as: dog.jpeg 248.`);
  return images;
}

/**
 * One image, sent as the bytes of its file.
 *
 * @param label the class that is the right answer
 * @throws UserError if it cannot be read or is empty
 */
export function readImage(path: string, name: string, label: number): Input {
  const data = bytes(path, `the image ${name}`);
  if (data.length === 0) throw new UserError(`The image ${path} is empty.`);
  // Some servers answer with the class's number as text.
  return { name, datatype: "BYTES", shape: [], data, labels: new Set([label, String(label)]) };
}

/**
 * Reads the names of classes by their numbers: a JSON object such as `{"248": "Eskimo dog, husky"}`, or a list of names.
 *
 * @throws UserError if it is something else
 */
export function readClasses(file: string): Map<number, string> {
  let value: unknown;
  try {
    value = JSON.parse(text(file, "the names of the classes"));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file} is not JSON: ${(error as Error).message}`);
  }
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (entries.length === 0)
    throw new UserError(`${file} must hold names of classes by number, such as {"248": "Eskimo dog, husky"}.`);
  return new Map(
    entries.map(([number, name]) => {
      if (!/^\d+$/.test(number) || typeof name !== "string")
        throw new UserError(
          `${file}: ${JSON.stringify(number)}: ${JSON.stringify(name)?.slice(0, 80)} is not a class's number and name, such as "248": "Eskimo dog, husky".`,
        );
      return [Number(number), name];
    }),
  );
}

const text = (file: string, what: string): string => bytes(file, what).toString("utf8");

function bytes(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UserError(`Cannot read ${what}: ${(error as Error).message}.`);
  }
}
