import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dueTimes, planOf } from "../../../benchmarks/client/pacer.ts";
import {
  applyChanges,
  Schedule,
  stagePieces,
  describe as summary,
} from "../../../benchmarks/client/pacers/schedule.ts";
import type { OpenLoop, Stage } from "../../../benchmarks/spec.ts";

const open = (stages: Stage[], more: Partial<OpenLoop> = {}): OpenLoop => ({
  mode: "open",
  arrivals: "constant",
  stages,
  connections: 8,
  warmupSeconds: 0,
  seed: 1,
  ...more,
});
const stages = fc.array(
  fc.record({
    rate: fc.integer({ min: 1, max: 2000 }),
    durationSeconds: fc.integer({ min: 1, max: 40 }).map((tenths) => tenths / 10),
    ramp: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);
const arrivals = fc.constantFrom("constant" as const, "poisson" as const);
/** Requests that a list of stages asks for, on average. */
const asked = (list: readonly Stage[]) =>
  list.reduce(
    ({ before, sum }, { rate, durationSeconds, ramp }) => ({
      before: rate,
      sum: sum + (durationSeconds * (ramp ? before + rate : 2 * rate)) / 2,
    }),
    { before: 0, sum: 0 },
  ).sum;

test("constant arrivals are at equal distances, from the first moment, and as many as rate times length", () => {
  expect([...dueTimes(open([{ rate: 4, durationSeconds: 1 }]))]).toEqual([0, 250, 500, 750]);
  for (const [rate, durationSeconds] of [
    [0.1, 30],
    [3, 10],
    [1000, 7],
    [7, 0.9],
  ] as const)
    expect([...dueTimes(open([{ rate, durationSeconds }]))]).toHaveLength(Math.ceil(rate * durationSeconds - 1e-9));
});

test("a ramp rises in a line", () => {
  const due = [...dueTimes(open([{ rate: 100, durationSeconds: 10, ramp: true }]))];
  expect(due).toHaveLength(500);
  expect(due.filter((at) => at < 5000)).toHaveLength(125); // a quarter of them in the first half
  const down = [
    ...dueTimes(
      open([
        { rate: 100, durationSeconds: 1 },
        { rate: 0, durationSeconds: 10, ramp: true },
      ]),
    ),
  ];
  expect(down).toHaveLength(600);
  expect(down.filter((at) => at >= 6000)).toHaveLength(125);
});

test("stages without any load have no arrivals", () => {
  expect([
    ...dueTimes(
      open([
        { rate: 0, durationSeconds: 1 },
        { rate: 2, durationSeconds: 1 },
      ]),
    ),
  ]).toEqual([1000, 1500]);
  expect([...dueTimes(open([{ rate: 0, durationSeconds: 1 }], { arrivals: "poisson" }))]).toEqual([]);
});

test("due times never fall, lie within the stages, are whole microseconds, and are as many as asked for", () => {
  fc.assert(
    fc.property(stages, arrivals, fc.integer(), (list, kind, seed) => {
      const due = [...dueTimes(open(list, { arrivals: kind, seed }))];
      const end = list.reduce((sum, { durationSeconds }) => sum + durationSeconds * 1000, 0);
      expect(due.every((at, i) => at >= (due[i - 1] ?? 0) && at < end)).toBe(true);
      expect(due.every((at) => Math.abs(at * 1000 - Math.round(at * 1000)) < 1e-6)).toBe(true);
      const mean = asked(list);
      const tolerance = kind === "constant" ? list.length + 1 : 6 * Math.sqrt(mean) + 1;
      expect(Math.abs(due.length - mean)).toBeLessThanOrEqual(tolerance);
    }),
    { numRuns: 60 },
  );
});

test("Poisson: the distances are exponential", () => {
  const due = [...dueTimes(open([{ rate: 1000, durationSeconds: 50 }], { arrivals: "poisson", seed: 7 }))];
  const gaps = due.slice(1).map((at, i) => at - due[i]!);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  expect(mean).toBeCloseTo(1, 1);
  expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1); // a constant distance would have 0
  for (const x of [0.1, 0.5, 1, 2, 4])
    expect(gaps.filter((gap) => gap > x).length / gaps.length).toBeCloseTo(Math.exp(-x), 1);
});

test("equal seeds give equal schedules, other seeds others; the hash tells", () => {
  const hash = (load: OpenLoop) => summary(planOf(load)!).hash;
  const load = open([{ rate: 500, durationSeconds: 2 }], { arrivals: "poisson", seed: 3 });
  expect(hash(load)).toBe(hash({ ...load, warmupSeconds: 9, connections: 1 })); // of what is measured, and nothing else
  expect(hash(load)).not.toBe(hash({ ...load, seed: 4 }));
  expect(hash(load)).not.toBe(hash({ ...load, seed: 3 + 2 ** 32 }));
  expect(hash(load)).toMatch(/^[0-9a-f]{64}$/);
});

test("the parts together have every arrival of the schedule exactly once", () => {
  fc.assert(
    fc.property(stages, arrivals, fc.integer({ min: 1, max: 5 }), (list, kind, of) => {
      const load = open(list, { arrivals: kind });
      const parts = Array.from({ length: of }, (_, index) => {
        const taken: number[] = [];
        const schedule = new Schedule(planOf(load)!);
        for (let i = 0; i < index; i++) schedule.advance();
        while (schedule.next < Number.POSITIVE_INFINITY) {
          taken.push(schedule.next);
          for (let i = 0; i < of; i++) schedule.advance();
        }
        return taken;
      });
      expect(parts.flat().sort((a, b) => a - b)).toEqual([...dueTimes(load)]);
    }),
    { numRuns: 40 },
  );
});

describe("a change of the rate", () => {
  const load = open(
    [
      { rate: 100, durationSeconds: 2 },
      { rate: 200, durationSeconds: 2 },
    ],
    { arrivals: "poisson" },
  );

  test("moves what is due after it, to the end of the run, and nothing before", () => {
    const before = [...dueTimes(load)];
    const after = [...dueTimes(load, [{ at: 1000, rate: 1000 }])];
    const early = (due: number[]) => due.filter((at) => at < 1000);
    expect(early(after)).toEqual(early(before));
    expect(after.length - early(after).length).toBeGreaterThan(2800);
    expect(after.length - early(after).length).toBeLessThan(3200);
  });

  test("a part that hears of it while it runs, or late, ends up with the due times of one that knew", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3999 }),
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 0, max: 500 }),
        (at, rate, late) => {
          const known = [...dueTimes(load, [{ at, rate }])];
          const schedule = new Schedule(planOf(load)!);
          while (schedule.next < at + late) schedule.advance();
          schedule.replace(planOf(load, [{ at, rate }])!.pieces);
          const heard: number[] = [];
          const first = schedule.index;
          for (; schedule.next < Number.POSITIVE_INFINITY; schedule.advance()) heard.push(schedule.next);
          expect(heard).toEqual(known.slice(first));
        },
      ),
    );
  });

  test("cuts the pieces; later ones win, and one after the end changes nothing", () => {
    const pieces = stagePieces(load.stages);
    expect(
      applyChanges(pieces, [
        { at: 500, rate: 5 },
        { at: 3000, rate: 7 },
      ]),
    ).toMatchObject([
      { from: 0, until: 500, endRate: 100 },
      { from: 500, until: 3000, startRate: 5, endRate: 5 },
      { from: 3000, until: 4000, endRate: 7 },
    ]);
    expect(applyChanges(pieces, [{ at: -100, rate: 9 }])).toMatchObject([{ from: 0, until: 4000, endRate: 9 }]);
    expect(applyChanges(pieces, [{ at: 4000, rate: 9 }])).toEqual(pieces);
    const [cut] = applyChanges(stagePieces([{ rate: 100, durationSeconds: 2, ramp: true }]), [{ at: 500, rate: 1 }]);
    expect(cut).toMatchObject({ startRate: 0, endRate: 25, until: 500 });
  });
});
