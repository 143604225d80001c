import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "config-"));
vi.mock("../../local/paths.ts", () => ({ checkout: folder, state: { stacks: join(folder, "stacks") } }));
const { readStackFile, writeStackFile } = await import("../../local/stack/config.ts");

beforeEach(() => {
  writeFileSync(
    join(folder, "Pulumi.dev.yaml"),
    "config:\n  inference-stack:instances: 1\n  inference-stack:benchmark:\n    clients: 2\n    thresholds: {maxErrorRate: 0}\n",
  );
});
afterEach(() => rmSync(join(folder, "stacks"), { recursive: true, force: true }));

const write = (local: Parameters<typeof writeStackFile>[1], sets: string[]) =>
  (load(readFileSync(writeStackFile("dev", local, sets), "utf8")) as { config: Record<string, unknown> }).config;

describe("the copy of the stack's file", () => {
  it("puts this machine's settings over the user's, and the command line's over both", () => {
    const config = write({ benchmark: { rerun: 3 }, topology: [] }, [
      "instances=2",
      "benchmark.clients=4",
      "benchmark.thresholds.maxErrorRate=0.1",
    ]);
    expect(config).toEqual({
      "inference-stack:instances": 2,
      "inference-stack:benchmark": { clients: 4, rerun: 3, thresholds: { maxErrorRate: 0.1 } },
      "inference-stack:topology": [],
    });
  });

  it("does not keep a setting of an earlier run, and keeps the engine's salt", () => {
    const file = writeStackFile("dev", {}, ["instances=2"]);
    writeFileSync(file, `encryptionsalt: v1:abc\n${readFileSync(file, "utf8")}`);
    expect(write({}, [])["inference-stack:instances"]).toBe(1);
    expect(readFileSync(file, "utf8")).toContain("encryptionsalt: v1:abc");
  });

  it("leaves the user's file as it is", () => {
    const before = readFileSync(join(folder, "Pulumi.dev.yaml"), "utf8");
    write({ cluster: { kind: "embedded" } }, ["instances=9"]);
    expect(readFileSync(join(folder, "Pulumi.dev.yaml"), "utf8")).toBe(before);
  });

  it("takes values as JSON where they are JSON, as text where they are not", () => {
    expect(write({}, ["a=true", "b=[1,2]", "c=v2-grpc", "other:d=x"])).toMatchObject({
      "inference-stack:a": true,
      "inference-stack:b": [1, 2],
      "inference-stack:c": "v2-grpc",
      "other:d": "x",
    });
  });

  it("says what a setting without a value should look like, and which stacks there are", () => {
    expect(() => write({}, ["instances"])).toThrow("--config instances: expected key=value, such as instances=2");
    expect(() => readStackFile("prod")).toThrow(/there is no stack "prod".*\nstacks here: dev/);
  });
});
