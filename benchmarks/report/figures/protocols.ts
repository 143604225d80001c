import * as Plot from "@observablehq/plot";
import { type Cell, inWords, meanOf, throughputOf, varying } from "../cells.ts";
import { draw, PALETTE, short } from "../draw.ts";
import type { Figure } from "./figure.ts";

/** gRPC and REST, single and in batches: of each the best that was measured. */
export function protocolComparison(all: readonly Cell[]): Figure | undefined {
  // What a server can do shows where the load is as much as it can answer; only without such runs others have to do.
  const closed = all.filter(({ dimensions }) => dimensions["clients"] !== undefined);
  const cells = varying(closed).has("protocol") ? closed : all;
  const dimensions = varying(cells);
  if (!dimensions.has("protocol")) return undefined;
  const rows = [...Map.groupBy(cells, ({ dimensions: { protocol, batch } }) => `${protocol} ${batch}`).values()].map(
    (own) => {
      const [best, throughput] = own
        .map((cell) => [cell, meanOf(cell, throughputOf) ?? 0] as const)
        .reduce((a, b) => (b[1] > a[1] ? b : a));
      const { protocol, batch } = best.dimensions as { protocol: string; batch: number };
      const label = throughput > 0 ? short(throughput) : "INVALID";
      return {
        protocol,
        batch: batchInWords(batch),
        order: batch,
        throughput,
        label,
        title: `${inWords(best.dimensions)}: ${label}`,
      };
    },
  );
  const batches = [...new Set(rows.sort((a, b) => a.order - b.order).map(({ batch }) => batch))];
  const svg = draw({
    marginBottom: 34,
    marginLeft: 96,
    height: 60 + 34 * rows.length,
    x: { label: "inferences/s", zero: true },
    y: { label: null },
    fy: { label: null, domain: batches },
    color: { domain: ["gRPC", "REST"], range: PALETTE.slice(0, 2), legend: true },
    marginRight: 76,
    grid: false,
    marks: [
      Plot.barX(rows, {
        x: "throughput",
        y: "protocol",
        fy: "batch",
        fill: ({ protocol }: { protocol: string }) => (protocol.includes("grpc") ? "gRPC" : "REST"),
        title: "title",
        insetTop: 2,
        insetBottom: 2,
      }),
      Plot.text(rows, { x: "throughput", y: "protocol", fy: "batch", text: "label", dx: 4, textAnchor: "start" }),
      Plot.ruleX([0]),
    ],
  });
  const others = [...dimensions.keys()].filter((name) => name !== "protocol" && name !== "batch");
  return {
    title: "Protocols",
    svg,
    caption:
      others.length > 0 ? `Each bar is the best mean of VALID runs over ${others.join(", ")}.` : "Means of VALID runs.",
    cells,
  };
}

const batchInWords = (batch: number): string => (batch === 1 ? "single" : `batch ${batch}`);
