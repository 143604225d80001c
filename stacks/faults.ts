import type { TSchema } from "typebox";

/** What a schema check reports, as JSON Schema validators do. */
export interface Fault {
  readonly keyword: string;
  /** JSON pointer to the value. */
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/** What is read of a JSON Schema here. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
}

/** One line for each fault: the key, its value, what is allowed, and what was probably meant. */
export function describeFaults(schema: TSchema, root: unknown, faults: readonly Fault[]): string[] {
  const lines = faults.flatMap((fault) => {
    const path = fault.instancePath.split("/").slice(1);
    return describe(schema as unknown as Schema, root, path, fault);
  });
  // A misspelt key is one mistake, and not also a key that is missing.
  const meant = new Set(lines.map(({ meant }) => meant).filter(Boolean));
  return lines.filter(({ missing }) => !meant.has(missing)).map(({ text }) => text);
}

interface Line {
  readonly text: string;
  /** The key that is not there. */
  readonly missing?: string;
  /** The key that was probably meant. */
  readonly meant?: string;
}

function describe(root: Schema, value: unknown, path: string[], { keyword, params, message }: Fault): Line[] {
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
      return additionalProperties.map((name) => {
        const meant = closest(name, known);
        const text = `${inner(name)}: there is no such key; ${didYouMean(meant)}allowed keys: ${known.join(", ")}`;
        return { text, meant: meant && inner(meant) };
      });
    }
    case "required": {
      const { requiredProperties } = params as { requiredProperties: string[] };
      return requiredProperties.map((name) => {
        const text = `${inner(name)}: is missing; ${describeSchema(at?.properties?.[name])}`;
        return { text, missing: inner(name) };
      });
    }
    case "enum": {
      const allowed = (at?.enum ?? []).map(String);
      const meant = didYouMean(closest(String(found), allowed));
      return [
        { text: `${key}: ${show(found)} is not one of the values; ${meant}allowed values: ${allowed.join(", ")}` },
      ];
    }
    default:
      return [{ text: `${key}: ${show(found)} ${at ? `is not allowed; ${describeSchema(at)}` : message}` }];
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
  return `it must be ${kind(schema)}${schema.description ? ` (${schema.description.replace(/\.$/, "")})` : ""}`;
}

export function kind({ type, enum: values, minimum, maximum, exclusiveMinimum, pattern, items }: Schema): string {
  if (values) return `one of ${values.join(", ")}`;
  const least = exclusiveMinimum === undefined ? `from ${minimum}` : `above ${exclusiveMinimum}`;
  const range = maximum === undefined ? least : `${least} to ${maximum}`;
  if (type === "integer") return `a whole number ${range}`;
  if (type === "number") return `a number ${range}`;
  if (type === "boolean") return "true or false";
  if (type === "array") return `a list${items?.type === "object" ? " of objects" : ""}`;
  if (type === "object") return "an object";
  if (pattern?.includes("Mi|Gi")) return "a size such as 512Mi or 10Gi";
  if (pattern?.includes("m|")) return "a number of CPUs such as 500m or 1.5";
  return pattern ? `a text that matches ${pattern}` : "a text that is not empty";
}

/** The known word that was probably meant, if one is close. */
function closest(word: string, known: readonly string[]): string | undefined {
  return known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0]?.candidate;
}

const didYouMean = (word: string | undefined) => (word === undefined ? "" : `did you mean ${word}? `);

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
