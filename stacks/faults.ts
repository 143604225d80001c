import type { TSchema } from "typebox";

/** What a schema check reports, as JSON Schema validators do. */
export interface Fault {
  readonly keyword: string;
  /** JSON pointer to the value. */
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

interface Schema {
  readonly type?: string;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly required?: string[];
  readonly description?: string;
  readonly enum?: unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
}

/** One line for each fault: the key, its value, what is allowed, and what was probably meant. */
export function describeFaults(schema: TSchema, root: unknown, faults: readonly Fault[]): string[] {
  return faults.flatMap((fault) => {
    const path = fault.instancePath.split("/").slice(1);
    return describe(schema as Schema, root, path, fault);
  });
}

function describe(root: Schema, value: unknown, path: string[], { keyword, params, message }: Fault): string[] {
  const at = path.reduce<Schema | undefined>((schema, part) => schema?.properties?.[part] ?? schema?.items, root);
  const found = path.reduce<unknown>((inner, part) => (inner as Record<string, unknown> | undefined)?.[part], value);
  const key = keyOf(path);
  const inner = (name: string) => keyOf([...path, name]);
  switch (keyword) {
    case "boolean": // reported beside additionalProperties
      return [];
    case "additionalProperties": {
      const known = Object.keys(at?.properties ?? {});
      const { additionalProperties } = params as { additionalProperties: string[] };
      return additionalProperties.map(
        (name) => `${inner(name)}: there is no such key; ${suggestion(name, known, "key")}`,
      );
    }
    case "required": {
      const { requiredProperties } = params as { requiredProperties: string[] };
      return requiredProperties.map((name) => `${inner(name)}: is missing; ${describeSchema(at?.properties?.[name])}`);
    }
    case "enum": {
      const allowed = (at?.enum ?? []).map(String);
      return [`${key}: ${show(found)} is not one of the values; ${suggestion(String(found), allowed, "value")}`];
    }
    default:
      return at
        ? [`${key}: ${show(found)} is not allowed; ${describeSchema(at)}`]
        : [`${key}: ${show(found)}: ${message}`];
  }
}

/** `/topology/0/name` is `topology[0].name`. */
function keyOf(path: readonly string[]): string {
  return path.reduce((key, part) => (/^\d+$/.test(part) ? `${key}[${part}]` : key ? `${key}.${part}` : part), "");
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** What a value has to be. */
export function describeSchema(schema: Schema | undefined): string {
  if (!schema) return "see docs/config.md";
  return `it must be ${kind(schema)}${schema.description ? `: ${lowerFirst(schema.description)}` : ""}`;
}

export function kind({ type, enum: values, minimum, maximum, pattern, items }: Schema): string {
  if (values) return `one of ${values.join(", ")}`;
  const range = maximum === undefined ? `from ${minimum}` : `from ${minimum} to ${maximum}`;
  if (type === "integer") return `a whole number ${range}`;
  if (type === "number") return `a number ${range}`;
  if (type === "boolean") return "true or false";
  if (type === "array") return `a list${items?.type === "object" ? " of objects" : ""}`;
  if (type === "object") return "an object";
  if (pattern?.includes("Mi|Gi")) return "a size such as 512Mi or 10Gi";
  return pattern
    ? `a text of lower-case letters, digits and dashes that matches ${pattern}`
    : "a text that is not empty";
}

const lowerFirst = (text: string) =>
  (/^[A-Z][a-z]/.test(text) ? text[0].toLowerCase() + text.slice(1) : text).replace(/\.$/, "");

/** "did you mean" where one of the known words is close, and else all of them. */
function suggestion(word: string, known: readonly string[], noun: string): string {
  const [closest] = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const isClose = closest && closest.distance <= Math.max(1, Math.floor(closest.candidate.length / 3));
  return `${isClose ? `did you mean ${closest.candidate}? ` : ""}allowed ${noun}s: ${known.join(", ")}`;
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}
