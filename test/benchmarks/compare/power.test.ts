import { expect, test } from "vitest";
import { seededRandom } from "../../../benchmarks/client/random.ts";
import { type Comparison, compare, type Side } from "../../../benchmarks/compare/compare.ts";
import { resultOf } from "../results.ts";

/** Coefficients of variation of 20 runs of the unchanged stack (docs/performance.md). */
const cv = { throughput: 0.023, p99: 0.24 };
/** And one of those 20 was disturbed: its p99 was twice the others'. */
const disturbed = { share: 0.05, throughput: 0.93, p99: 2 };

/** Noise that multiplies: log-normal, with a mean of about 1. */
function noise(random: () => number, variation: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.exp(Math.sqrt(Math.log(1 + variation ** 2)) * normal);
}

/** Repeated runs of a stack whose throughput is `speed` times the usual. */
function measured(name: string, runs: number, speed: number, random: () => number): Side {
  const one = (at: number) => {
    const isDisturbed = random() < disturbed.share;
    return resultOf({
      at,
      throughput: 160 * speed * noise(random, cv.throughput) * (isDisturbed ? disturbed.throughput : 1),
      p99: (23 / speed) * noise(random, cv.p99) * (isDisturbed ? disturbed.p99 : 1),
    });
  };
  return { name, runs: Array.from({ length: runs }, (_, at) => ({ file: `${at}`, settings: {}, result: one(at) })) };
}

/** Of 100 comparisons, how many said `slower`. */
function slower(runs: number, speed: number, seed: number): number {
  const random = seededRandom(seed);
  const verdicts = Array.from({ length: 100 }, (): Comparison["verdict"] => {
    return compare(measured("base", runs, 1, random), measured("new", runs, speed, random)).verdict;
  });
  return verdicts.filter((verdict) => verdict === "slower").length;
}

const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

test.each([3, 5, 10])("of 100 comparisons of equal sides, %i runs each, at most 5 are called slower", (runs) => {
  const alarms = seeds.map((seed) => slower(runs, 1, seed));
  expect(Math.max(...alarms)).toBeLessThanOrEqual(5);
  expect(alarms.reduce((sum, n) => sum + n, 0) / seeds.length).toBeLessThanOrEqual(1.5); // 1 is what is promised
});

// The table of docs/compare.md.
test.each([
  [5, 0.9, 90],
  [6, 0.9, 95],
  [10, 0.9, 99],
  [10, 0.95, 75],
])("with %i runs each, a throughput of %d is found in at least %i of 100 comparisons", (runs, speed, found) => {
  const hits = seeds.map((seed) => slower(runs, speed, seed));
  expect(hits.reduce((sum, n) => sum + n, 0) / seeds.length).toBeGreaterThanOrEqual(found);
});
