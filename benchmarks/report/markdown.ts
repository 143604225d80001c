import { type Cell, inWords, meanOf, p99Of, throughputOf } from "./cells.ts";
import { short } from "./draw.ts";
import { type Report, verdicts } from "./sections.ts";

/** The report as Markdown: a table of configurations for each machine and model. Pictures are in the HTML. */
export function markdown({ title, createdAt, sections, skipped }: Report): string {
  const lines = sections.flatMap((section) => [
    `## ${section.title}`,
    "",
    `${section.environment}. ${verdicts(section.cells)}.`,
    "",
    "| configuration | runs | inferences/s | p50 ms | p99 ms | verdict |",
    "| --- | --- | --- | --- | --- | --- |",
    ...section.cells.map(row),
    "",
  ]);
  const left = skipped.map(({ file, why }) => `- \`${file}\`: ${why}`);
  const end = left.length > 0 ? ["## Skipped files", "", ...left, ""] : [];
  return [`# ${title}`, "", `Written ${createdAt}.`, "", ...lines, ...end].join("\n");
}

/** Means of the valid runs. */
function row(cell: Cell): string {
  const mean = (of: Parameters<typeof meanOf>[1]) => {
    const value = meanOf(cell, of);
    return value === undefined ? "" : short(value);
  };
  const { runs, valid } = cell;
  const reasons = runs.flatMap(({ result }) => result.verdict.reasons);
  const verdict =
    valid.length === runs.length
      ? "VALID"
      : `${runs.length - valid.length} INVALID: ${[...new Set(reasons)].join(" ")}`;
  const cells = [
    inWords(cell.dimensions),
    runs.length,
    mean(throughputOf),
    mean(({ result }) => result.latencyMs.p50),
    mean(p99Of),
    verdict,
  ];
  return `| ${cells.map((text) => String(text).replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
}
