/**
 * Repeats the measurement of the unchanged stack and prints how much the figures vary: what the verdict's thresholds
 * are set from. `npm run bench:repeat [-- RUNS]`, 20 by default.
 */
import { coefficientOfVariation, mean, measure } from "./measure.ts";

const runs = Number(process.argv[2] ?? 20);
const results = [];
for (let i = 1; i <= runs; i++) {
  const result = await measure([]);
  results.push(result);
  const { throughput, latencyMs, verdict } = result;
  console.log(
    `${String(i).padStart(3)}  ${throughput.inferencesPerSecond.toFixed(1)}/s  p99 ${latencyMs.p99?.toFixed(2) ?? "-"} ms  drift ${((throughput.drift ?? 0) * 100).toFixed(1)} %  ${verdict.valid ? "VALID" : `INVALID: ${verdict.reasons.join("; ")}`}`,
  );
}
const throughputs = results.map((r) => r.throughput.inferencesPerSecond);
const p99s = results.map((r) => r.latencyMs.p99 ?? Number.NaN);
const percent = (value: number) => `${(value * 100).toFixed(2)} %`;
console.log(
  `throughput  mean ${mean(throughputs).toFixed(1)}/s  coefficient of variation ${percent(coefficientOfVariation(throughputs))}`,
);
console.log(
  `p99         mean ${mean(p99s).toFixed(2)} ms  coefficient of variation ${percent(coefficientOfVariation(p99s))}`,
);
console.log(`largest drift ${percent(Math.max(...results.map((r) => Math.abs(r.throughput.drift ?? 0))))}`);
console.log(`VALID ${results.filter((r) => r.verdict.valid).length} of ${runs}`);
