import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { trainingLines } from "../../../benchmarks/training/log.ts";
import { measure } from "../../../benchmarks/training/measure.ts";
import { parseTrainingResult, TrainingResultSchema } from "../../../benchmarks/training/result.ts";
import { spec, trainingLogs } from "./logs.ts";

const good = () =>
  measure(
    spec,
    Object.entries(trainingLogs()).map(([pod, log]) => ({
      pod,
      role: pod.split("-")[0] as "chief",
      index: Number(pod.split("-")[1]),
      node: "node1",
      images: [],
      restarts: 0,
      lines: trainingLines(log),
    })),
  );

describe("the training result", () => {
  it("is published as it is defined", () => {
    const file = join(import.meta.dirname, "../../../benchmarks/training/result.schema.json");
    expect(readFileSync(file, "utf8")).toBe(`${JSON.stringify(TrainingResultSchema, null, 2)}\n`);
  });

  it.each<[string, object, RegExp]>([
    ["of another version", { schemaVersion: 0 }, /The training result has schema version 0; this program reads 1/],
    ["with a field too many", { extra: 1 }, /The training result does not follow its schema/],
    ["without workers", { workers: [] }, /\/workers/],
  ])("is refused %s", (_, change, message) => {
    expect(() => parseTrainingResult(JSON.stringify({ ...good(), ...change }))).toThrow(message);
  });

  it("is refused as text that is none", () => {
    expect(() => parseTrainingResult("")).toThrow(/The training result is not JSON/);
  });
});
