import type { Case } from "./cases.ts";
import type { ToolName } from "./loaders.ts";

/** One tool in one case: medians over the rounds. */
export interface Figure {
  readonly tool: ToolName;
  readonly concurrency: number;
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
  /** As the tool itself reports it. */
  readonly p99Ms: number;
  readonly serverMicrosPerRequest: number;
  /** Largest share of the machine that other programs took. */
  readonly others: number;
  readonly failed: number;
}

export interface CaseResult {
  readonly about: Case;
  readonly figures: readonly Figure[];
}

/** Each tool's figures at the concurrency at which it is fastest, in the order of the tools. */
export function best({ about, figures }: CaseResult): Figure[] {
  return about.tools.map((tool) =>
    figures
      .filter((figure) => figure.tool === tool)
      .reduce((a, b) => (b.requestsPerSecond > a.requestsPerSecond ? b : a)),
  );
}

export interface Ratio {
  readonly text: string;
  readonly reached: boolean;
}

/** Our figures over the peers', against the targets; of the tools that were run. */
export function ratios(result: CaseResult): Ratio[] {
  const figures = best(result);
  const of = (tool: ToolName) => figures.find((figure) => figure.tool === tool);
  return result.about.targets.flatMap(({ peer, figure, ratio }) => {
    const [us, them] = [of("ours"), of(peer)];
    if (!us || !them) return [];
    const value = us[figure] / them[figure];
    const isRate = figure === "requestsPerSecond";
    const reached = isRate ? value >= ratio : value <= ratio;
    const [name, bound] = isRate ? ["rate", "at least"] : ["CPU per request", "at most"];
    const text = `${result.about.name}: ${name} ${value.toFixed(2)} x ${peer} (target: ${bound} ${ratio}): ${reached ? "reached" : "NOT REACHED"}`;
    return [{ text, reached }];
  });
}

const columns = [
  "in flight",
  "requests/s",
  "CPU us/request",
  "p99 ms",
  "server us/request",
  "server busy",
  "others",
  "failed",
];

/** All figures of a case; those that count are marked. */
export function table(result: CaseResult): string {
  const counted = best(result);
  const rows = result.figures.map((f) => [
    `${counted.includes(f) ? "*" : " "} ${f.tool}`,
    String(f.concurrency),
    f.requestsPerSecond.toFixed(0),
    f.cpuMicrosPerRequest.toFixed(1),
    f.p99Ms.toFixed(2),
    f.serverMicrosPerRequest.toFixed(1),
    percent((f.requestsPerSecond * f.serverMicrosPerRequest) / 1e6),
    percent(f.others),
    String(f.failed),
  ]);
  return grid([[result.about.name, ...columns], ...rows]);
}

export const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export function grid(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** How many requests a second the server could answer on its CPU: the client is what is measured while it is far below. */
export function ceiling(result: CaseResult): string {
  const { tool, requestsPerSecond, serverMicrosPerRequest } = best(result)[0]!;
  const limit = 1e6 / serverMicrosPerRequest;
  return `${result.about.name}: ${result.about.server} server's own ceiling ${limit.toFixed(0)}/s (its CPU time per request), ${(limit / requestsPerSecond).toFixed(1)} x the rate of ${tool}`;
}
