import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HOLD, type RatePiece, type ScalingFacts, type ServerCount, scalingOf } from "../../benchmarks/scaling.ts";

/** Stages of `seconds` at rates, one after the other. */
const stages = (...list: [rate: number, seconds: number][]): RatePiece[] => {
  let from = 0;
  return list.map(([rate, seconds]) => {
    const piece = { from, until: from + seconds, startRate: rate, endRate: rate };
    from = piece.until;
    return piece;
  });
};
/** Windows of 2 s: `.` keeps the SLO, `x` violates it. */
const windows = (text: string) => [...text].map((is) => ({ due: 200, kept: is === "x" ? 100 : 200 }));
const counts = (...list: [atSeconds: number, wanted: number, ready: number][]): ServerCount[] =>
  list.map(([atSeconds, wanted, ready]) => ({ atSeconds, wanted, ready }));

/** Ten seconds of little, fifty of much, sixty of little; a second server comes after 14 s and goes after 90. */
const usual: ScalingFacts = {
  min: 1,
  max: 2,
  slo: { p99Ms: 50, windowSeconds: 2 },
  coresPerServer: 0.5,
  durationSeconds: 120,
  pieces: stages([10, 10], [100, 50], [10, 60]),
  windows: windows(`.....xxxxxxxxxx${".".repeat(45)}`),
  timeline: counts([0, 1, 1], [20, 2, 1], [24, 2, 2], [90, 1, 1]),
};
const of = (change: Partial<ScalingFacts>) => scalingOf({ ...usual, ...change });

describe("a step of the load", () => {
  test("gives figures that can be checked by hand", () => {
    expect(scalingOf(usual)).toMatchObject({
      stepAtSeconds: 10,
      decisionSeconds: 10,
      reactionSeconds: 14,
      recoverySeconds: 20,
      sloViolationSeconds: 20,
      // At 100/s only two servers kept the SLO, at 10/s one did: the second was too many from 60 to 90 s.
      overProvisionedCoreSeconds: 15,
      flaps: 0,
    });
  });

  test("is the largest rise, to the end of what is asked for since", () => {
    const pieces = stages([10, 10], [20, 10], [90, 20], [95, 20], [10, 60]);
    expect(of({ pieces }).stepAtSeconds).toBe(20);
    expect(of({ pieces, timeline: counts([0, 1, 1], [55, 2, 2]) }).reactionSeconds).toBe(35);
    expect(of({ pieces, timeline: counts([0, 1, 1], [61, 2, 2]) }).reactionSeconds).toBeNull();
  });

  test("is not there in a load that never rises", () => {
    for (const pieces of [[], stages([100, 120]), stages([100, 60], [10, 60])])
      expect(of({ pieces })).toMatchObject({
        stepAtSeconds: null,
        decisionSeconds: null,
        reactionSeconds: null,
        recoverySeconds: null,
      });
  });

  test("that violates nothing has nothing to recover from; one that violates to the end does not recover", () => {
    expect(of({ windows: windows(".".repeat(60)) }).recoverySeconds).toBe(0);
    expect(of({ windows: windows(`.....${"x".repeat(25)}${".".repeat(30)}`) }).recoverySeconds).toBeNull();
  });

  test("is not over for one window that went well", () => {
    expect(of({ windows: windows(`.....xx..xx...${".".repeat(46)}`) }).recoverySeconds).toBe(12);
  });
});

test("one request in a hundred may be late", () => {
  const with100 = (kept: number) => of({ windows: [{ due: 100, kept }] }).sloViolationSeconds;
  expect([with100(100), with100(99), with100(98)]).toEqual([0, 0, 2]);
  expect(of({ windows: [{ due: 0, kept: 0 }] }).sloViolationSeconds).toBe(0);
});

test("what is added and removed with the load is no flap; what is so without it is", () => {
  const flaps = (...list: [number, number][]) =>
    of({ timeline: counts(...list.map(([at, n]): [number, number, number] => [at, n, n])) }).flaps;
  expect(flaps([0, 1], [24, 2], [90, 1])).toBe(0);
  expect(flaps([0, 1], [24, 2], [40, 1])).toBe(1);
  expect(flaps([0, 1], [24, 2], [40, 1], [50, 2])).toBe(2);
  expect(flaps([0, 1], [62, 2], [90, 1])).toBe(0); // too late, but not to and fro
  expect(flaps([0, 1], [24, 2], [30, 3], [80, 2], [90, 1])).toBe(0);
  expect(flaps([0, 1], [24, 2], [90, 1], [100, 2], [110, 1])).toBe(2);
});

const anyFacts = fc
  .record({
    lengths: fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 40 })), { maxLength: 6 }),
    due: fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true })), {
      maxLength: 60,
    }),
    moves: fc.array(
      fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 100 })),
      { minLength: 1, maxLength: 12 },
    ),
    ramp: fc.boolean(),
  })
  .map(({ lengths, due, moves, ramp }): ScalingFacts => {
    const flat = stages(...lengths);
    const pieces = flat.map((piece, i) => (ramp && i > 0 ? { ...piece, startRate: flat[i - 1]!.endRate } : piece));
    let at = 0;
    return {
      ...usual,
      max: 4,
      pieces,
      durationSeconds: due.length * 2,
      windows: due.map(([n, share]) => ({ due: n, kept: Math.round(n * share) })),
      timeline: moves.map(([wanted, ready, wait], i) => {
        at += i === 0 ? 0 : wait / 10 + 0.1;
        return { atSeconds: at, wanted, ready: Math.min(wanted, ready) };
      }),
    };
  });

describe("whatever was seen", () => {
  const property = (check: (facts: ScalingFacts) => void) => fc.assert(fc.property(anyFacts, check), { numRuns: 500 });

  test("violations and what was too much are at most all there was", () => {
    property((facts) => {
      const { sloViolationSeconds, overProvisionedCoreSeconds } = scalingOf(facts);
      expect(sloViolationSeconds).toBeGreaterThanOrEqual(0);
      expect(sloViolationSeconds).toBeLessThanOrEqual(facts.durationSeconds);
      expect(overProvisionedCoreSeconds).toBeGreaterThanOrEqual(0);
      const most = Math.max(...facts.timeline.map(({ ready }) => ready));
      expect(overProvisionedCoreSeconds).toBeLessThanOrEqual(
        most * facts.durationSeconds * facts.coresPerServer + 0.001,
      );
    });
  });

  test("nothing is too much where the SLO was never kept for long", () => {
    property((facts) => {
      const broken = facts.windows.map(({ due }, i) => ({ due: due + 1, kept: i % HOLD === 0 ? 0 : due + 1 }));
      expect(scalingOf({ ...facts, windows: broken }).overProvisionedCoreSeconds).toBe(0);
    });
  });

  test("a steady number of servers is no reaction, no flap and never too many", () => {
    property((facts) => {
      const timeline = facts.timeline.map((entry) => ({ ...entry, wanted: 2, ready: 2 }));
      expect(scalingOf({ ...facts, timeline })).toMatchObject({
        reactionSeconds: null,
        flaps: 0,
        overProvisionedCoreSeconds: 0,
      });
    });
  });

  test("a better answer never makes more violations, and times are within the step", () => {
    property((facts) => {
      const perfect = facts.windows.map(({ due }) => ({ due, kept: due }));
      expect(scalingOf({ ...facts, windows: perfect })).toMatchObject({ sloViolationSeconds: 0 });
      const { stepAtSeconds, decisionSeconds, reactionSeconds, recoverySeconds } = scalingOf(facts);
      for (const seconds of [decisionSeconds, reactionSeconds, recoverySeconds])
        if (seconds !== null) {
          expect(stepAtSeconds).not.toBeNull();
          expect(seconds).toBeGreaterThanOrEqual(0);
          expect(stepAtSeconds! + seconds).toBeLessThanOrEqual(facts.durationSeconds);
        }
    });
  });

  test("there are fewer flaps than moves", () => {
    property((facts) => {
      expect(scalingOf(facts).flaps).toBeLessThan(facts.timeline.length);
    });
  });

  test("twice the cores cost twice as much", () => {
    property((facts) => {
      const once = scalingOf(facts).overProvisionedCoreSeconds;
      const twice = scalingOf({ ...facts, coresPerServer: 2 * facts.coresPerServer }).overProvisionedCoreSeconds;
      expect(twice).toBeCloseTo(2 * once, 2);
    });
  });
});
