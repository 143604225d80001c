import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

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
export const INVALID = { stroke: "#888", symbol: "times" } as const;

/** Six colours that stay apart in print and for colour-blind readers, and then no more. */
export const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#444444"] as const;
export const MAX_SERIES = PALETTE.length;

/** Three significant digits. */
export const short = (value: number): string => String(Number(value.toPrecision(3)));
