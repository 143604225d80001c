import { equal, type Plain, type PlainObject, Unknown } from "../properties.ts";
import type { ChangeKind, Diff } from "../provider.ts";
import { forceNewFields, type Mutability } from "./forceNew.ts";
import { annotations, asObject, isAnnotated } from "./object.ts";
import { normalize } from "./state.ts";

type Path = readonly (string | number)[];
type Changes = Map<string, { kind: ChangeKind; replace: boolean }>;

/** What separates the new inputs of an object from its old ones, and whether the object survives it. */
export function diffObjects(
  olds: PlainObject,
  news: PlainObject,
  mutability: Mutability,
  ignore: readonly string[] = [],
): Diff {
  const before = canonical(olds);
  const after = canonical(news);
  const forceNew = forceNewFields(asObject(after), mutability).map((field) => field.split("."));
  const changes: Changes = new Map();
  compare([], before, after, forceNew, changes);
  for (const path of changes.keys()) if (ignore.some((ignored) => covers(ignored, path))) changes.delete(path);
  const replaced = [...changes.values()].some(({ replace }) => replace);
  return { changes, deleteBeforeReplace: replaced && keepsItsName(before, after) };
}

/** The default namespace may be said or left out, and a Secret may be written in two ways. */
function canonical(inputs: PlainObject): PlainObject {
  const object = normalize(inputs);
  const metadata = { ...((object.metadata as PlainObject | undefined) ?? {}) };
  if (metadata.namespace === "default") delete metadata.namespace;
  return { ...object, metadata };
}

/** Two objects of one name cannot exist at once. Names made up by us differ. */
function keepsItsName(before: PlainObject, after: PlainObject): boolean {
  const [a, b] = [asObject(before), asObject(after)];
  return (
    !isAnnotated(b, annotations.autonamed) &&
    a.metadata?.name === b.metadata?.name &&
    a.metadata?.namespace === b.metadata?.namespace
  );
}

function compare(
  path: Path,
  before: Plain | undefined,
  after: Plain | undefined,
  forceNew: string[][],
  changes: Changes,
): void {
  if (isMap(before) && isMap(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare([...path, key], before[key], after[key], forceNew, changes);
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let i = 0; i < Math.max(before.length, after.length); i++)
      compare([...path, i], before[i], after[i], forceNew, changes);
  } else if (!(before === undefined && after === undefined) && !equal(before, after)) {
    const kind = before === undefined ? "add" : after === undefined ? "delete" : "update";
    const replace = forceNew.some((field) => touches(field, path, before, after));
    changes.set(format(path), { kind, replace });
  }
}

const isMap = (value: Plain | undefined): value is PlainObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unknown);

/** Whether a change at `path` changes `field`: it lies in it, or it brings or takes something that contains it. */
function touches(field: string[], path: Path, before: Plain | undefined, after: Plain | undefined): boolean {
  const shared = Math.min(field.length, path.length);
  for (let i = 0; i < shared; i++) if (field[i] !== (typeof path[i] === "number" ? "*" : path[i])) return false;
  return field.length <= path.length || [before, after].some((value) => contains(value, field.slice(path.length)));
}

function contains(value: Plain | undefined, field: string[]): boolean {
  if (field.length === 0) return value !== undefined;
  if (Array.isArray(value)) return field[0] === "*" && value.some((item) => contains(item, field.slice(1)));
  return isMap(value) && contains(value[field[0]!], field.slice(1));
}

/** A property path as the engine writes it: `spec.ports[0].port`, `metadata.annotations["a.b/c"]`. */
export function format(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    if (/[."[\]]/.test(part)) return `${text}["${part.replaceAll('"', '\\"')}"]`;
    return text ? `${text}.${part}` : part;
  }, "");
}

const covers = (ignored: string, path: string): boolean =>
  path === ignored || path.startsWith(`${ignored}.`) || path.startsWith(`${ignored}[`);
