import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Verdict } from "../result.ts";

/** Observable Plot draws into a document; a browser is not needed for it. */
const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** Readable on a phone, where a figure is as wide as the screen, and half a page wide on paper. */
const WIDTH = 460;

/** A plot as SVG (with a legend before it, if it has one). */
export function draw(options: Plot.PlotOptions): string {
  const plot = Plot.plot({
    document: document as unknown as Plot.PlotOptions["document"],
    width: WIDTH,
    height: 300,
    marginLeft: 52,
    marginBottom: 42,
    grid: true,
    ...options,
    style: { fontSize: "12px", fontFamily: "inherit", background: "none" },
    x: { nice: true, ...options.x },
    y: { nice: true, ...options.y },
  });
  // Hundredths of a pixel are finer than any printer.
  return plot.outerHTML.replace(/(\d\.\d\d)\d+/g, "$1");
}

/** Where it was measured without a valid verdict: seen, but never mistaken for a figure to trust. */
const INVALID = { stroke: "#888", symbol: "times" } as const;

/** A dot for a run, with the text that stands on it. */
export interface RunDot {
  readonly x: number;
  readonly y: number;
  readonly valid: boolean;
  readonly title: string;
}

/** What stands on the dot of a run. @param text its figures */
export const dotTitle = (text: string, { valid, reasons }: Verdict): string =>
  `${text}${valid ? "" : `\nINVALID: ${reasons.join(" ")}`}`;

/** @param fill colour of the VALID ones, or the property that has it */
export const runDots = (runs: readonly RunDot[], fill: string): Plot.Markish[] => [
  Plot.dot(
    runs.filter(({ valid }) => valid),
    { x: "x", y: "y", fill, r: 2.5, title: "title" },
  ),
  Plot.dot(
    runs.filter(({ valid }) => !valid),
    { x: "x", y: "y", r: 4, title: "title", ...INVALID },
  ),
];

/** Latencies of servers that could not follow are beyond all others. */
export const latencyScale = (values: readonly number[]): Plot.ScaleOptions =>
  Math.max(...values) > 20 * Math.min(...values) ? { type: "log" } : { zero: true };

/** A line across, such as an SLO. */
export const limitLine = ({ value, label }: { readonly value: number; readonly label: string }): Plot.Markish[] => [
  Plot.ruleY([value], { stroke: "#c00", strokeDasharray: "6 3" }),
  Plot.text([label], { y: value, frameAnchor: "right", dy: -7, fill: "#c00", textAnchor: "end" }),
];

/** Six colours that stay apart in print and for colour-blind readers, and then no more. */
export const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#444444"] as const;
export const MAX_SERIES = PALETTE.length;

/** Three significant digits. */
export const short = (value: number): string => String(Number(value.toPrecision(3)));
