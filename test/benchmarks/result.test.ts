import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { parseResult, type Result, ResultSchema } from "../../benchmarks/result.ts";
import { goodRun } from "./client/facts.ts";

const published = JSON.parse(readFileSync("benchmarks/result.schema.json", "utf8"));
const result: Result = { ...goodRun(), verdict: { valid: true, reasons: [], notes: ["a note"] } };
/** Parses the result with one place (a path with slashes) set to something else, or taken out. */
const spoilt = (path: string, value?: unknown) => () => {
  const copy = structuredClone(result) as object;
  const names = path.split("/");
  const last = names.pop()!;
  const parent = names.reduce((at, name) => at[name as never], copy) as Record<string, unknown>;
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return parseResult(JSON.stringify(copy));
};

test("the published schema is up to date (node benchmarks/result.ts writes it)", () => {
  expect(published).toEqual(JSON.parse(JSON.stringify(ResultSchema)));
});

test("the published schema is valid JSON Schema 2020-12 and accepts what we write", () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, formats: { "date-time": true } });
  const check = ajv.compile(published);
  expect(check(result)).toBe(true);
  expect(check({ ...result, throughput: {} })).toBe(false);
});

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
}

/** Every field of a schema with its path, however deep. */
function fields(schema: Schema, path = ""): [string, Schema][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]): [string, Schema][] => [
    [`${path}/${name}`, field],
    ...fields(field, `${path}/${name}`),
  ]);
  return [
    ...own,
    ...[...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])].flatMap((s) => fields(s, path)),
  ];
}

test("every field is described, and every quantity says its unit", () => {
  const all = fields(published);
  expect(all.length).toBeGreaterThan(90);
  expect(all.filter(([, { description }]) => !description).map(([path]) => path)).toEqual([]);
  const isQuantity = ({ type, anyOf }: Schema) => [{ type }, ...(anyOf ?? [])].some((one) => one.type === "number");
  const withoutUnit = all.filter(
    ([path, field]) =>
      isQuantity(field) &&
      !/second|bytes|relative|number of|version|in `unit`|\b0 to 1\b/i.test(`${path} ${field.description}`),
  );
  expect(withoutUnit.map(([path]) => path)).toEqual([]);
});

test("a result survives being written and read", () => {
  expect(parseResult(JSON.stringify(result))).toEqual(result);
});

test("what does not follow the schema is named", () => {
  expect(() => parseResult("")).toThrow(/not JSON/);
  expect(() => parseResult("null")).toThrow(/does not follow its schema/);
  expect(spoilt("latencyMs/p99", "fast")).toThrow(/\/latencyMs\/p99 must be number.*"fast"/);
  expect(spoilt("verdict")).toThrow(/must have required properties verdict/);
  expect(spoilt("counts/more", 1)).toThrow(/\/counts must not have additional properties/);
  expect(spoilt("errors/byKind/timeout", -1)).toThrow(/\/errors\/byKind\/timeout/);
  expect(spoilt("schemaVersion", 1)).toThrow(/schema version 1; this program reads 2/);
});
