import { describe, expect, it } from "vitest";
import { fingerprintOf } from "../../../benchmarks/fingerprint.ts";
import { type Cell, type PlanOptions, planSweep } from "../../../benchmarks/sweep/plan.ts";
import type { StoredRun } from "../../../benchmarks/sweep/store.ts";
import { cell, resultOf } from "./facts.ts";

const a = cell({ "benchmark.clients": 1, instances: 1 }, { image: "triton:1", "client code": "aaaaaaaaaaaa" });
const options: PlanOptions = { stack: "dev", repeats: 1, retries: 1, machine: { kernel: "6.1" } };

function run(of: Cell, changes: Partial<StoredRun> & Parameters<typeof resultOf>[1] = {}): StoredRun {
  const result = resultOf(`${of.experiment!.key}-${changes.run ?? 0}`, { kernel: "6.1", ...changes });
  const { key, chosen } = of.experiment!;
  const fingerprint = fingerprintOf(result);
  return { cell: key, run: 0, stack: "dev", settings: of.settings, chosen, fingerprint, result, file: "", ...changes };
}
const plan = (stored: readonly StoredRun[], changes: Partial<PlanOptions> = {}, of = a) =>
  planSweep([of], stored, { ...options, ...changes })[0]!;

describe("a cell", () => {
  it("is new without any run of it, and takes its measuring and what comes with it", () => {
    const planned = plan([]);
    expect(planned).toMatchObject({ state: "new", reason: "", missing: 1, next: 0 });
    expect(planned.seconds).toBeGreaterThan(10);
  });

  it("is cached with one, whatever the settings of the stack were called then", () => {
    expect(plan([run(a)])).toMatchObject({ state: "cached", reason: "", missing: 0, seconds: 0 });
    expect(plan([run(a, { stack: "other" })])).toMatchObject({ state: "cached" });
  });

  it.each([
    ["image", { image: "triton:2" }, "image triton:2 instead of triton:1"],
    ["client code", { "client code": "bbbbbbbbbbbb" }, "client code changed"],
  ])("is stale when the %s is another", (_, changed, reason) => {
    const now = cell(a.settings, { ...a.experiment!.chosen, ...changed });
    expect(plan([run(a)], {}, now)).toMatchObject({ state: "stale", reason, missing: 1, next: 0 });
  });

  it("is stale when the kernel is another, and its next run has a number of its own", () => {
    const planned = plan([run(a)], { machine: { kernel: "6.5" } });
    expect(planned).toMatchObject({ state: "stale", reason: "kernel 6.5 instead of 6.1", missing: 1, next: 1 });
    expect(plan([run(a)], { machine: {} })).toMatchObject({ state: "cached" });
  });

  it("of another stack with equal settings does not make this one stale", () => {
    const now = cell(a.settings, { image: "triton:2" });
    expect(plan([run(a, { stack: "other" })], {}, now)).toMatchObject({ state: "new", reason: "" });
  });

  it("needs as many runs as were asked for", () => {
    const two = [run(a), run(a, { run: 1 })];
    expect(plan(two, { repeats: 3 })).toMatchObject({
      state: "new",
      reason: "2 of 3 runs are there",
      missing: 1,
      next: 2,
    });
    expect(plan(two, { repeats: 2 })).toMatchObject({ state: "cached" });
  });

  it("is measured again as often as it may be INVALID, and then stays so with its reason", () => {
    const first = run(a, { invalid: "It drifted." });
    expect(plan([first])).toMatchObject({
      state: "new",
      reason: "INVALID: It drifted.",
      missing: 1,
      retries: 0,
      next: 1,
    });
    const both = [first, run(a, { run: 1, invalid: "It drifted again." })];
    expect(plan(both)).toMatchObject({ state: "cached", reason: "2 of 2 runs INVALID: It drifted again." });
    expect(plan(both, { retryInvalid: true })).toMatchObject({ state: "stale", missing: 1, next: 2 });
    expect(plan([first, run(a, { run: 1 })])).toMatchObject({ state: "cached" });
  });

  it("that cannot be is said to be impossible with all its mistakes, and takes no time", () => {
    const planned = plan([], {}, { settings: { instances: 3 }, problems: ["instances: 3 does not divide cpus", "b"] });
    expect(planned).toMatchObject({ state: "impossible", seconds: 0, missing: 0 });
    expect(planned.reason).toBe("instances: 3 does not divide cpus; b");
  });
});

describe("the order", () => {
  it("keeps cells with equal servers together", () => {
    const at = (instances: number, clients: number) => cell({ instances, "benchmark.clients": clients });
    const cells = planSweep([at(1, 1), at(2, 1), at(1, 2), at(2, 2)], [], options);
    expect(cells.map(({ settings }) => settings.instances)).toEqual([1, 1, 2, 2]);
    const [first, second, third] = cells;
    expect(first!.seconds).toBeGreaterThan(second!.seconds);
    expect(third!.seconds).toBe(first!.seconds);
  });

  it("estimates with what was seen", () => {
    const seen = run(cell({ instances: 7 }), { change: "load", overheadSeconds: 4 });
    const [, second] = planSweep([a, cell({ instances: 1, "benchmark.clients": 2 })], [seen], options);
    expect(second!.seconds).toBe(14);
  });
});
