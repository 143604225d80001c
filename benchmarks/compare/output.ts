import { escapeMarkup } from "../markup.ts";
import type { Case, Comparison, MetricComparison } from "./compare.ts";

export const formats = ["table", "markdown", "json", "junit"] as const;
export type Format = (typeof formats)[number];

const write: Readonly<Record<Format, (comparison: Comparison) => string>> = {
  table,
  markdown,
  json: (comparison) => JSON.stringify(comparison, null, 2),
  junit,
};

export const comparisonAs = (format: Format, comparison: Comparison): string => write[format](comparison);

export const headline: Readonly<Record<Comparison["verdict"], string>> = {
  slower: "SLOWER",
  "not slower": "NOT SLOWER",
  "not comparable": "NOT COMPARABLE",
};

const percent = (share: number, digits = 1) => `${(share * 100).toFixed(digits)} %`;
const change = (ratio: number) => `${ratio < 1 ? "-" : "+"}${percent(Math.abs(ratio - 1))}`;
const number = (value: number) => String(Number(value.toPrecision(4)));
const geometricMean = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** base, new, change, interval, smallest slow-down that would show, decision. */
function cells({ unit, base, new: now, ratio, interval, detectable, decision }: MetricComparison): string[] {
  const [low, high] = interval;
  return [
    `${number(geometricMean(base))} ${unit}`,
    `${number(geometricMean(now))} ${unit}`,
    change(ratio),
    `${change(low)} to ${change(high)}`,
    percent(detectable),
    decision,
  ];
}

const columns = (confidence: number) => [
  "metric",
  "base",
  "new",
  "change",
  `${percent(confidence, 2)} interval`,
  "would show",
  "",
];

/** What was compared with what, and what was left out. */
function remarks({ runs, environment, invalid, notes }: Case): string[] {
  return [
    `${runs.base} valid runs against ${runs.new}; ${environment}`,
    ...invalid.map(({ file, reasons }) => `INVALID, left out: ${file}: ${reasons.join(" ")}`),
    ...notes,
  ];
}

export const EXPLANATION =
  "A metric is slower only if its whole interval is on the slower side. `would show` is the smallest slow-down that as many runs with as much noise show in 9 of 10 comparisons.";

function table(comparison: Comparison): string {
  const { base, new: now, cases, notes, verdict, confidence } = comparison;
  const lines = cases.flatMap((each) => [
    "",
    each.name,
    ...align([columns(confidence), ...each.metrics.map((metric) => [metric.metric, ...cells(metric)])], each),
    ...each.obstacles.map((obstacle) => `  not comparable: ${obstacle}`),
    ...remarks(each).map((remark) => `  ${remark}`),
  ]);
  const end = cases.some(({ metrics }) => metrics.length > 0) ? ["", EXPLANATION] : [];
  return [`${base} -> ${now}: ${headline[verdict]}`, ...notes, ...lines, ...end].join("\n");
}

function align(rows: readonly string[][], { metrics }: Case): string[] {
  if (metrics.length === 0) return [];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`.trimEnd());
}

function markdown(comparison: Comparison): string {
  const { base, new: now, cases, notes, verdict, confidence } = comparison;
  const row = (values: readonly string[]) => `| ${values.map((value) => value.replaceAll("|", "\\|")).join(" | ")} |`;
  const header = columns(confidence);
  const body = cases.flatMap((each) => [
    "",
    `**${each.name}**`,
    ...(each.metrics.length > 0 ? ["", row(header), row(header.map(() => "---"))] : []),
    ...each.metrics.map((metric) =>
      row([metric.metric, ...cells(metric).map((cell) => (cell === "slower" ? "**slower**" : cell))]),
    ),
    "",
    ...each.obstacles.map((obstacle) => `- not comparable: ${obstacle}`),
    ...remarks(each).map((remark) => `- ${remark}`),
  ]);
  const more = notes.length > 0 ? ["", ...notes.map((note) => `- ${note}`)] : [];
  return [
    `### Comparison: ${headline[verdict]}`,
    "",
    `\`${base}\` → \`${now}\``,
    ...more,
    ...body,
    "",
    EXPLANATION,
  ].join("\n");
}

/** A test suite for each load, a test case for each metric: slower is a failure, not comparable an error. */
function junit({ base, new: now, cases, notes }: Comparison): string {
  const suites = cases.map((each) => ({
    name: each.name,
    tests: each.metrics.length > 0 ? each.metrics : [undefined],
    each,
  }));
  if (suites.length === 0) suites.push({ name: `${base} -> ${now}`, tests: [undefined], each: nothing(notes) });
  const text = suites.map(({ name, tests, each }) => {
    const failures = each.metrics.filter(({ decision }) => decision === "slower").length;
    const errors = each.metrics.length > 0 ? 0 : 1;
    const head = `  <testsuite name="${escapeMarkup(name)}" tests="${tests.length}" failures="${failures}" errors="${errors}">`;
    const body = tests.map((metric) => testCase(name, metric, each));
    return [
      head,
      ...body,
      `    <system-out>${escapeMarkup(remarks(each).join("\n"))}</system-out>`,
      "  </testsuite>",
    ].join("\n");
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="inference-stack compare">`,
    ...text,
    "</testsuites>",
  ].join("\n");
}

function testCase(suite: string, metric: MetricComparison | undefined, { obstacles }: Case): string {
  const open = (name: string) => `    <testcase classname="${escapeMarkup(suite)}" name="${escapeMarkup(name)}"`;
  if (!metric) {
    const message = obstacles.join(" ") || "No figure has enough samples.";
    return `${open("comparable")}><error message="${escapeMarkup(message)}"/></testcase>`;
  }
  if (metric.decision !== "slower") return `${open(metric.metric)}/>`;
  const [base, now, change, interval] = cells(metric);
  return `${open(metric.metric)}><failure message="${escapeMarkup(`${metric.metric}: ${base} -> ${now}, ${change} (${interval})`)}"/></testcase>`;
}

const nothing = (notes: readonly string[]): Case => ({
  name: "",
  runs: { base: 0, new: 0 },
  invalid: [],
  environment: "",
  obstacles: notes,
  notes: [],
  metrics: [],
});
