import { readFileSync } from "node:fs";
import { escapeMarkup } from "../markup.ts";
import { short } from "./draw.ts";
import type { Figure } from "./figures/figure.ts";
import { type Column, columns, type Row, rowsOf } from "./rows.ts";
import { type Report, type Section, verdicts } from "./sections.ts";

const style = readFileSync(`${import.meta.dirname}/page.css`, "utf8");

/** The report as one HTML file that loads nothing. */
export function page(report: Report): string {
  const { title, createdAt, sections } = report;
  const cells = sections.flatMap((section) => section.cells);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeMarkup(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escapeMarkup(title)}</h1>
<p>${verdicts(cells)}. Written ${escapeMarkup(createdAt)}.</p>
</header>
${sections.map(section).join("\n")}
${skipped(report)}
</body>
</html>
`;
}

function section(own: Section): string {
  return `<section>
<h2>${escapeMarkup(own.title)}</h2>
<p>${escapeMarkup(own.environment)}. ${verdicts(own.cells)}.</p>
<div class="figures">
${own.figures.map((each) => figure(each, own)).join("\n")}
</div>
<h3>Runs</h3>
<div class="scroll">
${table(rowsOf(own.cells).map(atAGlance))}
</div>
</section>`;
}

const figure = ({ title, svg, caption, cells }: Figure, { environment }: Section): string => `<figure class="plot">
<h3>${escapeMarkup(title)}</h3>
${svg}
<figcaption>${escapeMarkup(caption)} <b>${verdicts(cells)}.</b> ${escapeMarkup(environment)}.</figcaption>
</figure>`;

/** What fits on a page; the CSV has the rest. */
const shown = [...columns.slice(0, columns.indexOf("reasons")), "startedAt", "reasons"] as const;
const headings: Readonly<Partial<Record<Column, string>>> = {
  requestedRate: "asked/s",
  requestsPerSecond: "requests/s",
  inferencesPerSecond: "inferences/s",
  p50Ms: "p50 ms",
  p90Ms: "p90 ms",
  p99Ms: "p99 ms",
  maxMs: "max ms",
  startedAt: "measured",
};

/** The model is in the title, and nobody reads milliseconds of a date. */
const atAGlance = (row: Row): Row => ({
  ...row,
  configuration: String(row.configuration).replace(/^model [^,]*(, |$)/, ""),
  startedAt: String(row.startedAt).slice(0, 19).replace("T", " "),
});

function table(rows: readonly Row[]): string {
  const head = shown.map((name) => `<th>${headings[name] ?? name}`).join("");
  const body = rows.map((row) => {
    const kind = row.verdict === "VALID" ? "" : ' class="invalid"';
    return `<tr${kind}>${shown.map((name) => cell(row[name], name)).join("")}`;
  });
  return `<table>\n<thead><tr>${head}</thead>\n<tbody>\n${body.join("\n")}\n</tbody>\n</table>`;
}

function cell(value: Row[Column], name: Column): string {
  if (typeof value === "number") return `<td class="n">${short(value)}`;
  return value ? `<td class="${name}">${escapeMarkup(value)}` : "<td>";
}

function skipped({ skipped }: Report): string {
  if (skipped.length === 0) return "";
  const items = skipped.map(({ file, why }) => `<li><code>${escapeMarkup(file)}</code>: ${escapeMarkup(why)}</li>`);
  return `<section>\n<h2>Skipped files</h2>\n<ul>\n${items.join("\n")}\n</ul>\n</section>`;
}
