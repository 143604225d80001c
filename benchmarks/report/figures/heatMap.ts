import * as Plot from "@observablehq/plot";
import type { StoredRun } from "../../sweep/store.ts";
import { type Cell, inWords, meanOf, p99Of, throughputOf, type Value, varying } from "../cells.ts";
import { draw, short } from "../draw.ts";
import type { Figure } from "./figure.ts";

/** More rows or columns than this no screen shows with their figures. */
const MAX_STEPS = 24;

interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly of: (run: StoredRun) => number | null;
  readonly isBetter: (value: number, than: number) => boolean;
  readonly scheme: "blues" | "oranges";
}

/** Closed loops by what they draw, open loops by what they wait. */
export function heatMaps(cells: readonly Cell[]): (Figure | undefined)[] {
  const [closed, others] = [true, false].map((is) =>
    cells.filter((c) => (c.dimensions["clients"] !== undefined) === is),
  );
  const isBetter = (value: number, than: number) => value > than;
  return [
    heatMap(closed!, { name: "Throughput", unit: "inferences/s", of: throughputOf, isBetter, scheme: "blues" }),
    heatMap(others!, { name: "Latency p99", unit: "ms", of: p99Of, isBetter: (a, b) => a < b, scheme: "oranges" }),
  ];
}

/** A map over the two dimensions that make the largest. */
function heatMap(cells: readonly Cell[], { name, unit, of, isBetter, scheme }: Measure): Figure | undefined {
  const dimensions = [...varying(cells)].filter(([, values]) => values.length <= MAX_STEPS);
  const pairs = dimensions.flatMap((y, i) => dimensions.slice(i + 1).map((x) => [x, y] as const));
  const size = ([x, y]: (typeof pairs)[number]) => placesOf(cells, x[0], y[0]).size;
  // Of maps of one size, that of two quantities says more than one of names.
  const quantities = (pair: (typeof pairs)[number]) =>
    pair.filter(([, values]) => typeof values[0] === "number").length;
  const [best] = pairs.sort((a, b) => size(b) - size(a) || quantities(b) - quantities(a));
  if (!best) return undefined;
  const [x, y] = [...best].sort(([, a], [, b]) => b.length - a.length) as [(typeof best)[0], (typeof best)[1]];
  const groups = placesOf(cells, x[0], y[0]);
  const tiles = [...groups.values()].map((own) => {
    const means = own.map((cell) => ({ cell, mean: meanOf(cell, of) }));
    const best = means.reduce((a, b) =>
      a.mean === undefined || (b.mean !== undefined && isBetter(b.mean, a.mean)) ? b : a,
    );
    const { dimensions } = best.cell;
    const label = best.mean === undefined ? "invalid" : short(best.mean);
    return {
      x: dimensions[x[0]],
      y: dimensions[y[0]],
      value: best.mean,
      label,
      title: `${inWords(dimensions)}: ${label}`,
    };
  });
  const known = tiles.filter(({ value }) => value !== undefined);
  if (tiles.length < 4 || known.length === 0) return undefined;
  const largest = Math.max(...known.map(({ value }) => value!));
  const place = { x: "x", y: "y" } as const;
  const isCrowded = x[1].length > 10;
  const svg = draw({
    height: 90 + 26 * y[1].length,
    marginLeft: 40 + 6 * Math.max(...y[1].map((value) => `${value}`.length)),
    grid: false,
    padding: 0.04,
    x: { label: x[0], domain: x[1] as Value[], type: "band" },
    y: { label: y[0], domain: y[1] as Value[], type: "band", reverse: true },
    color: { scheme, domain: [0, largest] },
    marks: [
      Plot.cell(
        tiles.filter(({ value }) => value === undefined),
        { ...place, fill: "#ddd", title: "title" },
      ),
      Plot.cell(known, { ...place, fill: "value", title: "title" }),
      Plot.text(tiles, {
        ...place,
        text: "label",
        fontSize: isCrowded ? 8 : 11,
        fill: ({ value }: { value: number | undefined }) => ((value ?? 0) > 0.55 * largest ? "white" : "black"),
      }),
    ],
  });
  const others = [...varying([...groups.values()].flat()).keys()].filter((name) => name !== x[0] && name !== y[0]);
  const over = others.length > 0 ? `The best over ${others.join(", ")}. ` : "";
  return {
    title: `${name} by ${x[0]} and ${y[0]}`,
    svg,
    caption: `${over}Means of VALID runs in ${unit}; grey: only INVALID runs.`,
    cells: [...groups.values()].flat(),
  };
}

function placesOf(cells: readonly Cell[], x: string, y: string): Map<string, Cell[]> {
  const both = cells.filter(({ dimensions }) => dimensions[x] !== undefined && dimensions[y] !== undefined);
  return Map.groupBy(both, ({ dimensions }) => `${dimensions[x]} ${dimensions[y]}`);
}
