import { indexes, largest, names } from "./answers.ts";

/**
 * Answers from values that come without a type, as in JSON: the text, the class number (one number per input), or the
 * scores of all classes (several numbers per input).
 *
 * @param value nested lists of numbers or of texts, with one row per input; a text may be `{"b64": "..."}`
 * @throws Error if it holds anything else, or does not divide into `count` answers
 */
export function untyped(value: unknown, count: number): (number | string)[] {
  const values: unknown[] = Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
  if (values.every((element) => typeof element === "number")) return numbers(values, count);
  return names(values.map(text), count);
}

/** A single number per input is its class; several are the scores of all classes. */
export const numbers = (values: ArrayLike<number>, count: number): number[] =>
  values.length === count ? indexes(values, count) : largest(values, count);

function text(element: unknown): string {
  if (typeof element === "string") return element;
  const { b64 } = (element ?? {}) as { b64?: unknown };
  if (typeof b64 === "string") return Buffer.from(b64, "base64").toString();
  throw new Error(`the output holds neither numbers nor texts but ${shown(element)}`);
}

/** A value as a sentence can show it. */
export function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 100 ? `${json.slice(0, 100)}...` : json;
}

/**
 * The JSON object in a reply.
 *
 * @throws Error if it is none
 */
export function jsonObject(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw new Error(`the reply is not JSON: ${shown(body.toString("utf8", 0, 100))}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`the reply is not a JSON object: ${shown(value)}`);
  return value as Record<string, unknown>;
}
