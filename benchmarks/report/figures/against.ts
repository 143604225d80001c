import * as Plot from "@observablehq/plot";
import type { StoredRun } from "../../sweep/store.ts";
import { type Cell, inWords, meanOf, p99Of, throughputOf, varying } from "../cells.ts";
import { dotTitle, draw, latencyScale, limitLine, MAX_SERIES, PALETTE, runDots, short } from "../draw.ts";
import type { Figure } from "./figure.ts";

interface Axes {
  readonly x: string;
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly of: (run: StoredRun) => number | null;
  /** Which series to show if there are too many: those with the largest or the smallest mean. */
  readonly best: "largest" | "smallest";
  /** A line across, such as an SLO. */
  readonly limit?: { readonly value: number; readonly label: string };
}

const throughput = (x: string): Axes => ({
  x,
  title: `Throughput against ${x}`,
  xLabel: x,
  yLabel: "inferences/s",
  of: throughputOf,
  best: "largest",
});

export const throughputAgainst = (cells: readonly Cell[], x: "clients" | "instances"): Figure | undefined =>
  against(
    cells.filter(({ dimensions }) => dimensions["clients"] !== undefined),
    throughput(x),
  );

/** @param slo milliseconds that p99 must not exceed */
export const p99AgainstRate = (cells: readonly Cell[], slo: number | undefined): Figure | undefined =>
  against(cells, {
    x: "rate",
    title: "Latency p99 against rate",
    xLabel: "requests/s asked for",
    yLabel: "p99, ms",
    of: p99Of,
    best: "smallest",
    ...(slo === undefined ? {} : { limit: { value: slo, label: `SLO ${slo} ms` } }),
  });

/** A dot for each run, a line through the means of the valid ones; a series for each combination of the other dimensions. */
function against(all: readonly Cell[], axes: Axes): Figure | undefined {
  const cells = all.filter(({ dimensions }) => dimensions[axes.x] !== undefined);
  const dimensions = varying(cells);
  if (!dimensions.has(axes.x)) return undefined;
  const others = [...dimensions.keys()].filter((name) => name !== axes.x);
  const series = [...Map.groupBy(cells, (cell) => inWords(cell.dimensions, others))].map(([name, own]) => {
    const means = own.flatMap((cell) => ({ x: Number(cell.dimensions[axes.x]), y: meanOf(cell, axes.of), name }));
    return { name, cells: own, means: means.filter(({ y }) => y !== undefined) };
  });
  const sign = axes.best === "largest" ? -1 : 1;
  const rank = ({ means }: (typeof series)[number]) => Math.min(Number.MAX_VALUE, ...means.map(({ y }) => sign * y!));
  const ranked = [...series].sort((a, b) => rank(a) - rank(b)).slice(0, MAX_SERIES);
  const shown = series.filter((each) => ranked.includes(each)); // in their own order
  const runs = shown.flatMap(({ name, cells }) => cells.flatMap((cell) => points(cell, name, axes)));
  if (runs.length === 0) return undefined;
  const scale = axes.best === "smallest" ? latencyScale(runs.map(({ y }) => y)) : { zero: true };
  const svg = draw({
    x: {
      label: axes.xLabel,
      tickFormat: String,
      ticks: legible(dimensions.get(axes.x)!.map(Number)),
    },
    y: { label: axes.yLabel, ...scale },
    color: { domain: shown.map(({ name }) => name), range: [...PALETTE], legend: others.length > 0 },
    marks: [
      ...(axes.limit ? limitLine(axes.limit) : []),
      Plot.line(
        shown.flatMap(({ means }) => means),
        { x: "x", y: "y", z: "name", stroke: "name", sort: "x" },
      ),
      ...runDots(runs, "name"),
    ],
  });
  const left = series.length - shown.length;
  const more = left > 0 ? ` ${shown.length} of ${series.length} series: those with the ${axes.best} values.` : "";
  return {
    title: axes.title,
    svg,
    caption: `A dot for each run, a line through the means of the VALID ones; × is INVALID.${more}`,
    cells: shown.flatMap(({ cells }) => cells),
  };
}

/** The values themselves where they are few and far enough apart, else round numbers. */
function legible(values: readonly number[]): number | readonly number[] {
  const gaps = values.slice(1).map((value, index) => value - values[index]!);
  const isCrowded = Math.min(...gaps) < (values.at(-1)! - values[0]!) / 12;
  return values.length > 8 || isCrowded ? 8 : values;
}

function points({ dimensions, runs }: Cell, name: string, { x, of, yLabel }: Axes) {
  return runs.flatMap((run) => {
    const y = of(run);
    const { verdict } = run.result;
    if (y === null || y <= 0) return [];
    const title = dotTitle(`${inWords(dimensions)}: ${short(y)} ${yLabel}`, verdict);
    return [{ x: Number(dimensions[x]), y, name, valid: verdict.valid, title }];
  });
}
