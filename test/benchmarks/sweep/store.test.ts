import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fingerprintOf } from "../../../benchmarks/fingerprint.ts";
import { type Run, readRuns, writeRun } from "../../../benchmarks/sweep/store.ts";
import { resultOf } from "./facts.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "runs-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const result = resultOf("0123456789ab");
const fingerprint = fingerprintOf(result);
const run: Run = { cell: "c", run: 0, stack: "dev", settings: { instances: 1 }, chosen: {}, fingerprint, result };
const put = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};

it("gives back what was kept, once however often it was", async () => {
  const file = writeRun(folder, run);
  writeRun(folder, run);
  expect(await readRuns(folder)).toEqual({ runs: [{ ...run, file }], skipped: [] });
  expect((await readRuns(file)).runs).toHaveLength(1);
  expect((await readRuns(dirname(file))).runs).toHaveLength(1);
});

it("keeps runs of one experiment on two machines apart", async () => {
  const there = resultOf("0123456789ab", { kernel: "7.0" });
  writeRun(folder, run);
  writeRun(folder, { ...run, result: there, fingerprint: fingerprintOf(there) });
  expect((await readRuns(folder)).runs.map(({ result }) => result.environment.kernel).sort()).toEqual(
    [result.environment.kernel, "7.0"].sort(),
  );
});

it("reads what `npm start` keeps, and leaves other files of ours alone", async () => {
  put("2026-a.json", JSON.stringify(result));
  put("search.json", JSON.stringify({ format: "inference-stack/search-1" }));
  put("c/f/half.json.1234.tmp", "{");
  const { runs, skipped } = await readRuns(folder);
  expect(runs).toMatchObject([{ cell: result.key, stack: "", settings: {} }]);
  expect(skipped).toEqual([]);
});

it("has no runs where there is no folder", async () => {
  expect(await readRuns(join(folder, "nowhere"))).toEqual({ runs: [], skipped: [] });
});

it.each<[string, (file: string) => void, RegExp]>([
  ["is cut short", (file) => writeFileSync(file, readFileSync(file, "utf8").slice(0, 900)), /not JSON/],
  ["is empty", (file) => writeFileSync(file, ""), /not JSON/],
  [
    "was edited",
    (file) =>
      writeFileSync(
        file,
        readFileSync(file, "utf8").replace(`"inferencesPerSecond": 100`, `"inferencesPerSecond": 900`),
      ),
    /checksum/,
  ],
  ["is of something else", (file) => writeFileSync(file, '{"name": "package"}'), /not a result/],
  ["is a list", (file) => writeFileSync(file, "[1]"), /not a result/],
  ["is null", (file) => writeFileSync(file, "null"), /not a result/],
  ["is a result of another schema", (file) => writeFileSync(file, '{"schemaVersion": 1}'), /schema version 1/],
])("names and skips a file that %s", async (_, spoil, why) => {
  const file = writeRun(folder, run);
  spoil(file);
  const { runs, skipped } = await readRuns(folder);
  expect(runs).toEqual([]);
  expect(skipped).toEqual([{ file, why: expect.stringMatching(why) }]);
});

it("names and skips a run that was copied to the place of another", async () => {
  const file = writeRun(folder, run);
  const copy = join(dirname(file), "ffffffffffff.json");
  copyFileSync(file, copy);
  const { runs, skipped } = await readRuns(folder);
  expect(runs).toHaveLength(1);
  expect(skipped).toEqual([{ file: copy, why: expect.stringContaining(join("c", fingerprint, "0123456789ab.json")) }]);
});
