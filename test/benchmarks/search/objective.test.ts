import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Candidate, candidateOf, paretoOf, ranked } from "../../../benchmarks/search/objective.ts";

const measured = { inferencesPerSecond: 100, latencyMs: 20 };

describe("what an inference costs", () => {
  it("follows from the table of prices and watts", () => {
    const prices = { nodeHour: 1, coreHour: 0.05, kilowattHour: 0.5 };
    const candidate = candidateOf(measured, { nodes: 2, cores: 48 }, prices, { node: 100, core: 5 });
    // 2 + 2.4 + 0.44 kW x 0.5 = 4.62 in an hour of 360,000 inferences; 440 W over 100/s.
    expect(candidate.costPer1000).toBeCloseTo(4.62 / 360, 10);
    expect(candidate.joulesPerInference).toBeCloseTo(4.4, 10);
  });

  it("is not known without one", () => {
    expect(candidateOf(measured, { nodes: 1, cores: 1 }, {}, {})).toEqual({
      ...measured,
      costPer1000: null,
      joulesPerInference: null,
    });
  });
});

const a: Candidate = { inferencesPerSecond: 100, latencyMs: 20, costPer1000: 3, joulesPerInference: 2 };
const b: Candidate = { inferencesPerSecond: 80, latencyMs: 15, costPer1000: 2, joulesPerInference: 3 };
const c: Candidate = { inferencesPerSecond: 70, latencyMs: 30, costPer1000: 4, joulesPerInference: 4 };

describe("the best", () => {
  it("is that by the objective, among those that keep the limits", () => {
    expect(ranked([c, b, a], "throughput", {})).toEqual([a, b, c]);
    expect(ranked([c, b, a], "cost", {})).toEqual([b, a, c]);
    expect(ranked([c, b, a], "energy", {})).toEqual([a, b, c]);
    expect(ranked([c, b, a], "cost", { minThroughput: 90 })).toEqual([a]);
    expect(ranked([c, b, a], "throughput", { maxCostPer1000: 2.5 })).toEqual([b]);
    expect(ranked([c, b, a], "throughput", { maxJoulesPerInference: 2.5 })).toEqual([a]);
  });

  it("cannot keep a limit of what is not known", () => {
    const unknown = { ...a, costPer1000: null };
    expect(ranked([unknown], "throughput", { maxCostPer1000: 100 })).toEqual([]);
  });
});

describe("the Pareto set", () => {
  it("leaves out what another beats", () => {
    expect(paretoOf([a, b, c])).toEqual([a, b]);
  });

  it("always has the best by every objective, and nobody in it beats another", () => {
    const number = fc.integer({ min: 1, max: 20 });
    const candidate = fc.record({
      inferencesPerSecond: number,
      latencyMs: number,
      costPer1000: number,
      joulesPerInference: number,
    });
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 20 }), (all) => {
        const set = paretoOf(all);
        for (const objective of ["throughput", "cost", "energy"] as const) {
          const [first] = ranked(all, objective, {});
          const isAsGood = (other: Candidate) => ranked([other, first!], objective, {})[0] === other;
          expect(set.some(isAsGood)).toBe(true);
        }
        expect(paretoOf(set)).toEqual(set);
      }),
    );
  });
});
