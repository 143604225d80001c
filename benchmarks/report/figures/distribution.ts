import * as Plot from "@observablehq/plot";
import { Samples } from "../../client/samples.ts";
import { type Cell, inWords, meanOf, throughputOf, varying } from "../cells.ts";
import { draw, MAX_SERIES, PALETTE } from "../draw.ts";
import type { Figure } from "./figure.ts";

/** Percentiles on an axis on which each further nine is as far as the last: x is the number of nines. */
const ticks = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
const nines = (share: number) => -Math.log10(1 - share);
const shares = Array.from({ length: 101 }, (_, i) => 1 - 10 ** (-i / 20)); // up to 99.999 %

/** Latency by percentile: of the cells with the highest throughput, all valid runs of each merged. */
export function latencyDistribution(all: readonly Cell[]): Figure | undefined {
  const measured = all.filter(({ runs }) => runs.some(({ result }) => result.histogram.latency.count > 0));
  const anyValid = measured.filter(({ valid }) => valid.length > 0);
  const candidates = anyValid.length > 0 ? anyValid : measured;
  const best = (cell: Cell) => meanOf(cell, throughputOf) ?? 0;
  const cells = [...candidates].sort((a, b) => best(b) - best(a)).slice(0, MAX_SERIES);
  if (cells.length === 0) return undefined;
  const names = varying(all).keys();
  const label = [...names];
  const series = cells.map((cell) => inWords(cell.dimensions, label) || inWords(cell.dimensions));
  const points = cells.flatMap((cell, i) => curve(cell).map((point) => ({ ...point, name: series[i] })));
  if (points.length === 0) return undefined;
  const isValid = anyValid.length > 0;
  const svg = draw({
    x: {
      label: "percentile",
      ticks: ticks.map(nines),
      tickFormat: (x: number) => String(100 - 100 * 10 ** -x).slice(0, 7),
      nice: false,
    },
    y: { label: "latency, ms", zero: true },
    color: { domain: series, range: [...PALETTE], legend: true },
    marks: [
      Plot.line(points, { x: "x", y: "y", z: "name", stroke: "name", ...(isValid ? {} : { strokeDasharray: "4 3" }) }),
    ],
  });
  const left = candidates.length - cells.length;
  const of =
    left > 0
      ? `the ${cells.length} of ${candidates.length} configurations with the highest throughput`
      : "each configuration";
  const unseen = measured.length - candidates.length;
  const without = unseen > 0 ? ` Left out: ${unseen} with INVALID runs alone.` : "";
  return {
    title: "Latency distribution",
    svg,
    caption: `Of ${of}; the histograms of its ${isValid ? "VALID" : "INVALID (dashed)"} runs merged, as far as ten samples lie beyond.${without}`,
    cells,
  };
}

function curve({ runs, valid }: Cell): { x: number; y: number }[] {
  const samples = Samples.merge((valid.length > 0 ? valid : runs).map(({ result }) => result.histogram.latency));
  const most = 1 - 10 / samples.count;
  return shares
    .filter((share) => share <= most)
    .map((share) => ({ x: nines(share), y: samples.percentileMs(100_000 * share) }));
}
