import * as Plot from "@observablehq/plot";
import type { Outcome, Searched, Slo } from "../../search/outcome.ts";
import { pointInWords } from "../../sweep/axes.ts";
import type { StoredRun } from "../../sweep/store.ts";
import { cellsOf } from "../cells.ts";
import { dotTitle, draw, latencyScale, limitLine, PALETTE, runDots, short } from "../draw.ts";
import type { Figure } from "./figure.ts";

/** What a search looked at, a figure for each configuration of which there are runs among these. */
export function searches({ searched, request, best }: Outcome, runs: readonly StoredRun[]): Figure[] {
  return searched.flatMap((one, index) => figureOf(one, index === best, request.slo, runs) ?? []);
}

/** The runs at each rate, those that confirmed the winner, and the interval in which the highest rate lies. */
function figureOf(
  { settings, tried, winner, capacity }: Searched,
  isBest: boolean,
  slo: Slo,
  all: readonly StoredRun[],
): Figure | undefined {
  const pointsOf = (keys: readonly string[], rate: number) => {
    const own = all.filter(({ result }) => keys.includes(result.key));
    return own.flatMap((run) => {
      const y = run.result.latencyMs[slo.percentile];
      const { verdict } = run.result;
      if (y === null) return [];
      return [
        { run, x: rate, y, valid: verdict.valid, title: dotTitle(`${rate} requests/s: ${short(y)} ms`, verdict) },
      ];
    });
  };
  const looked = tried.flatMap(({ rate, results }) => pointsOf(results, rate));
  const fresh = winner ? pointsOf(winner.results, winner.rate) : [];
  if (looked.length + fresh.length === 0) return undefined;
  const values = [...looked, ...fresh].map(({ y }) => y);
  const rates = tried.map(({ rate }) => rate);
  const band = { x1: capacity.low ?? Math.min(...rates), x2: capacity.high ?? Math.max(...rates) };
  const svg = draw({
    x: { label: "requests/s asked for", tickFormat: String, ticks: 8 },
    y: { label: `${slo.percentile}, ms`, ...latencyScale(values) },
    marks: [
      Plot.rectX([band], { x1: "x1", x2: "x2", fill: "#888", fillOpacity: 0.15 }),
      ...limitLine({ value: slo.latency, label: `SLO ${slo.latency} ms` }),
      ...runDots(looked, PALETTE[0]),
      Plot.dot(fresh, { x: "x", y: "y", stroke: PALETTE[1], symbol: "diamond", r: 5, title: "title" }),
    ],
  });
  const interval = `The highest rate that keeps it lies between ${capacity.low ?? 0} and ${capacity.high ?? "more than was tried"} requests/s (grey).`;
  const confirmed = winner
    ? ` Measured afresh at ${winner.rate} (diamonds): ${short(winner.inferencesPerSecond)} inferences/s, ${slo.percentile} ${short(winner.latencyMs)} ms.`
    : " No rate was confirmed.";
  return {
    title: `Search: ${pointInWords(settings)}${isBest ? " (the best)" : ""}`,
    svg,
    caption: `A dot for each run; × is INVALID. ${interval}${confirmed}`,
    cells: cellsOf([...looked, ...fresh].map(({ run }) => run)),
  };
}
