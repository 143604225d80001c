import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Bundle, readBundle, writeBundle } from "../../../benchmarks/provenance/bundle.ts";
import { differences, type Facts } from "../../../benchmarks/provenance/differences.ts";
import { resultOf } from "../results.ts";

let file: string;
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), "bundle-")), "a.bundle.gz");
});
afterEach(() => rmSync(join(file, ".."), { recursive: true }));

const bundle: Bundle = {
  stack: "dev",
  config: { "inference-stack:instances": 1 },
  program: "abc+",
  chosen: { image: "server:1", "client code": "123" },
  images: { triton: "server:1" },
  nodes: [],
  manifests: [{ type: "kubernetes:core/v1:ConfigMap", name: "c", object: { data: { a: "ü" } } }],
  result: resultOf(),
};

test("a bundle is read as it was written", () => {
  writeBundle(file, bundle);
  expect(readBundle(file)).toEqual(bundle);
});

test.each<[string, () => void, RegExp]>([
  ["no file", () => {}, /There is no file .*a\.bundle\.gz/],
  ["something else", () => writeFileSync(file, "hello"), /is no bundle of a result: incorrect header check/],
  ["another format", () => writeFileSync(file, gzipSync('{"format": "x"}')), /is no bundle of a result \(format "x"/],
  [
    "half a file",
    () => {
      writeBundle(file, bundle);
      writeFileSync(file, readFileSync(file).subarray(0, 200));
    },
    /is no bundle of a result/,
  ],
  [
    "another content",
    () => {
      writeBundle(file, bundle);
      writeFileSync(file, gzipSync(gunzipSync(readFileSync(file)).toString().replace("server:1", "server:2")));
    },
    /the checksum differs/,
  ],
])("%s is refused with a sentence", (_, spoil, sentence) => {
  spoil();
  expect(() => readBundle(file)).toThrow(sentence);
});

const facts: Facts = { chosen: bundle.chosen, kernel: "6.1", cpuModel: "a CPU" };

test("equal facts make no difference, and each other one does, by the word that accepts it", () => {
  expect(differences(facts, facts)).toEqual([]);
  const other: Facts = { chosen: { image: "server:2", model: "m" }, kernel: "6.2", cpuModel: "b CPU" };
  expect(differences(facts, other)).toEqual([
    { part: "kernel", phrase: "kernel: 6.2 here, 6.1 in the bundle" },
    { part: "CPU-model", phrase: "CPU model: b CPU here, a CPU in the bundle" },
    { part: "image", phrase: "image: server:2 here, server:1 in the bundle" },
    { part: "client-code", phrase: "client code: none here, 123 in the bundle" },
    { part: "model", phrase: "model: m here, none in the bundle" },
  ]);
});
