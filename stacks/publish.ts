import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { kind, type Schema } from "./faults.ts";
import { ConfigSchema } from "./schema.ts";

/**
 * What is published of the config's definition: a JSON Schema for editors and the reference page. `node stacks/publish.ts` writes
 * both anew; a test fails when they are not current.
 */

const config = JSON.parse(JSON.stringify(ConfigSchema)) as Schema;

/** Schema of a whole `Pulumi.<stack>.yaml`. */
export function editorSchema(): string {
  const keys = forEditors(config).properties ?? {};
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "inference-stack stack file",
    type: "object",
    properties: {
      config: {
        type: "object",
        description: config.description,
        properties: Object.fromEntries(Object.entries(keys).map(([key, value]) => [`inference-stack:${key}`, value])),
        patternProperties: { "^(?!inference-stack:)[^:]+:.+$": { description: "Config of another namespace." } },
        additionalProperties: false,
      },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** A file in the checkout may leave out what is filled in later, so to an editor no key is required. */
function forEditors({ required: _, properties, items, ...rest }: Schema): Schema {
  return {
    ...rest,
    ...(properties
      ? { properties: Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, forEditors(v)])) }
      : {}),
    ...(items ? { items: forEditors(items) } : {}),
  };
}

export function referencePage(): string {
  return [
    "<!-- Written by `node stacks/publish.ts` from stacks/schema.ts; edit that. -->",
    "# Config",
    "",
    "What a stack is comes from its file `Pulumi.<stack>.yaml`. Each key has the prefix `inference-stack:` there. A key that is not",
    "here, also inside an object, is an error, and all errors are reported at once before anything is changed.",
    "",
    "For completion in editors, name the schema in the file's first line:",
    "`# yaml-language-server: $schema=stacks/config.schema.json`.",
    "",
    "| key | value | default | meaning |",
    "|---|---|---|---|",
    ...rows(config, ""),
    "",
    "One value for one run: `npm start -- --config benchmark.clients=8`.",
    "",
  ].join("\n");
}

function rows(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const key = `${prefix}${name}`;
    const inner = property.properties ? property : property.items?.properties ? property.items : undefined;
    const below = inner ? rows(inner, property.items ? `${key}[].` : `${key}.`) : [];
    const value = kind(property).replaceAll("|", "\\\\|");
    return [`| \`${key}\` | ${value} | ${defaultOf(schema, name)} | ${property.description ?? ""} |`, ...below];
  });
}

function defaultOf(schema: Schema, name: string): string {
  const property = schema.properties?.[name];
  if (property?.properties && property.default !== undefined) return "see below";
  if (Array.isArray(property?.default)) return "none";
  if (property?.default !== undefined) return `\`${String(property.default)}\``;
  return schema.required?.includes(name) ? "required" : "none";
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, "config.schema.json"), editorSchema());
  writeFileSync(join(import.meta.dirname, "../docs/config.md"), referencePage());
}
