import { pointInWords } from "../sweep/axes.ts";
import type { Outcome, Searched, Slo } from "./outcome.ts";

/** What a search found, for people. */
export function searchTable({ searched, best, pareto }: Outcome, slo: Slo): string {
  const rows = searched.map((one, index) => row(one, index, best, pareto, slo.percentile));
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => `  ${row.map((text, i) => text.padEnd(widths[i]!)).join("  ")}`.trimEnd());
  const notes = searched.flatMap(({ settings, notes }) => notes.map((note) => `  ${pointInWords(settings)}: ${note}`));
  return [
    `Highest rate with ${slo.percentile} of at most ${slo.latency} ms`,
    ...lines,
    ...notes,
    ...(best === null ? ["No configuration keeps all that was asked for: there is no winner."] : []),
  ].join("\n");
}

function row(
  one: Searched,
  index: number,
  best: number | null,
  pareto: readonly number[],
  percentile: string,
): string[] {
  const { capacity, winner, settings, runs } = one;
  const rate = (value: number | null, open: string) => (value === null ? open : String(value));
  const interval = `between ${rate(capacity.low, "0")} and ${rate(capacity.high, "?")} requests/s`;
  const measured = winner
    ? `fresh: ${winner.inferencesPerSecond.toFixed(1)} inferences/s, ${percentile} ${winner.latencyMs.toFixed(1)} ms`
    : "no winner";
  const cost = winner?.costPer1000 == null ? "" : `${winner.costPer1000.toPrecision(3)} for 1000`;
  const energy = winner?.joulesPerInference == null ? "" : `${winner.joulesPerInference.toPrecision(3)} J each`;
  const rank = index === best ? "BEST" : pareto.includes(index) ? "Pareto" : "";
  return [rank, pointInWords(settings), interval, measured, cost, energy, `${runs} runs`];
}
