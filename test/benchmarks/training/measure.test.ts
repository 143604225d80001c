import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { trainingLines } from "../../../benchmarks/training/log.ts";
import { measure, type Process } from "../../../benchmarks/training/measure.ts";
import { parseTrainingResult } from "../../../benchmarks/training/result.ts";
import { spec, stepLine, trainingLogs } from "./logs.ts";

const processes = (logs = trainingLogs()): Process[] =>
  Object.entries(logs).map(([pod, log]) => {
    const [role, index] = pod.split("-") as [Process["role"], string];
    return {
      pod,
      role,
      index: Number(index),
      node: "node1",
      images: ["sha256:1"],
      restarts: 0,
      lines: trainingLines(log),
    };
  });
const changed = (pod: string, change: (process: Process) => Partial<Process>) =>
  processes().map((process) => (process.pod === pod ? { ...process, ...change(process) } : process));

describe("the lines of a training's log", () => {
  it("are those for programs, whatever else is written between them", () => {
    expect(trainingLines(trainingLogs()["worker-0"]!).map(({ event }) => event)).toEqual([
      "ready",
      ...Array(10).fill("step"),
      "end",
    ]);
  });

  it("may be cut off anywhere", () => {
    const log = trainingLogs()["worker-0"]!;
    const whole = trainingLines(log);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: log.length }), (length) => {
        const lines = trainingLines(log.slice(0, length));
        expect(lines).toEqual(whole.slice(0, lines.length));
      }),
    );
  });
});

describe("the result of a training", () => {
  it("has the rate of all by the chief's clock, and that of each worker by its own", () => {
    const result = measure(spec, processes());
    expect(result.throughput).toEqual({ imagesPerSecond: 16, stepsPerSecond: 4 }); // 16 steps of 4 images in 4 s
    // A worker's steps follow each other at 0.5 s; the last one ends 3.9 s after the first has begun.
    expect(result.workers.map(({ imagesPerSecond }) => imagesPerSecond)).toEqual(
      [32 / 3.9, 32 / 3.9].map((n) => expect.closeTo(n, 6)),
    );
    expect(result.workers[0]).toMatchObject({ pod: "worker-0", steps: 8, images: 32, restarts: 0 });
    expect(result.counts).toEqual({ steps: 16, images: 64, warmupSteps: 4, repeatedSteps: 0 });
    expect(result.loss).toEqual({ first: 7, last: 7 });
    expect(result.environment.processes.map(({ role }) => role).sort()).toEqual(["chief", "ps", "worker", "worker"]);
    expect(result.verdict).toMatchObject({ valid: true, reasons: [] });
    expect(parseTrainingResult(JSON.stringify(result))).toEqual(result);
  });

  it("does not depend on the order of processes or clocks that differ", () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(processes(), { minLength: 4 }),
        fc.integer({ min: -1e6, max: 1e6 }),
        (shuffled, offset) => {
          const moved = shuffled.map((process) =>
            process.pod === "worker-1"
              ? {
                  ...process,
                  lines: process.lines.map((l) =>
                    "begin" in l ? { ...l, begin: l.begin + offset, end: l.end + offset } : l,
                  ),
                }
              : process,
          );
          const rates = measure(spec, moved).workers.map(({ imagesPerSecond }) => imagesPerSecond);
          expect(rates).toEqual([32 / 3.9, 32 / 3.9].map((n) => expect.closeTo(n, 4)));
        },
      ),
    );
  });

  it.each<[string, Process[], RegExp]>([
    [
      "a worker was lost",
      changed("worker-1", () => ({ restarts: 1 })),
      /^Worker worker-1 was lost and started again once\.$/,
    ],
    [
      "a worker did nothing",
      changed("worker-1", () => ({ lines: [] })),
      /^Worker worker-1 did none of the measured steps\.$/,
    ],
    [
      "the loss is no number",
      changed("worker-0", ({ lines }) => ({
        lines: lines.map((l) => (l.event === "step" ? { ...l, loss: "nan", end: l.end + 1 } : l)),
      })),
      /diverged/,
    ],
    [
      "steps are missing",
      changed("chief-0", ({ lines }) => ({
        lines: lines.map((l) => (l.event === "phase" && l.phase === "measure" ? { ...l, steps: 15 } : l)),
      })),
      /^15 of the 16 steps/,
    ],
    ["a worker is missing", processes().filter(({ pod }) => pod !== "worker-1"), /^1 of 2 workers/],
    [
      "a worker became slower",
      changed("worker-0", ({ lines }) => ({
        lines: lines.map((l, i) =>
          l.event === "step" && i > 6 ? { ...l, begin: l.begin + (i - 6) * 0.5, end: l.end + (i - 6) * 0.5 } : l,
        ),
      })),
      /^The second half of the steps of worker worker-0 was .* slower/,
    ],
  ])("is INVALID when %s", (_, of, reason) => {
    const { verdict } = measure(spec, of);
    expect(verdict.valid).toBe(false);
    expect(verdict.reasons).toContainEqual(expect.stringMatching(reason));
  });

  it("counts steps that were done twice because a worker was lost", () => {
    const of = changed("worker-1", ({ lines }) => ({ restarts: 1, lines: [...lines, stepLine("measure", 20)] }));
    expect(measure(spec, of).counts.repeatedSteps).toBe(1);
  });

  it("is an error without measured steps", () => {
    expect(() =>
      measure(
        spec,
        changed("chief-0", () => ({ lines: [] })),
      ),
    ).toThrow(/Nothing was measured: .*chief-0/);
    expect(() => measure(spec, [])).toThrow(/Nothing was measured/);
  });
});
