import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { load } from "js-yaml";
import { expect, it } from "vitest";
import { editorSchema, referencePage } from "../../stacks/publish.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

it("has published the current reference page and schema (node stacks/publish.ts writes them)", () => {
  expect(read("docs/config.md")).toBe(referencePage());
  expect(read("stacks/config.schema.json")).toBe(editorSchema());
});

it("publishes a schema that accepts the stacks in the checkout and refuses mistakes", () => {
  const validate = new Ajv2020({ strict: true }).compile(JSON.parse(editorSchema()));
  for (const stack of ["dev", "full", "low-latency", "high-throughput", "production"]) {
    validate(load(read(`Pulumi.${stack}.yaml`)));
    expect(validate.errors).toBeNull();
  }
  for (const config of [
    { "inference-stack:instanses": 1 },
    { "inference-stack:benchmark": { client: 1 } },
    { "inference-stack:cpus": 0 },
  ])
    expect(validate({ config })).toBe(false);
});
