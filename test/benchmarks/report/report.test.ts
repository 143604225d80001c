import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fingerprintOf } from "../../../benchmarks/fingerprint.ts";
import { runReport } from "../../../benchmarks/report/run.ts";
import { type Outcome, SEARCH_FORMAT, writeOutcome } from "../../../benchmarks/search/outcome.ts";
import { type Settings, writeRun } from "../../../benchmarks/sweep/store.ts";
import { resultOf, type Wanted } from "../results.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "report-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

let at = 0;
/** Keeps a result. @returns its key */
function store(settings: Settings, wanted: Wanted = {}): string {
  const result = resultOf({ at: at++, ...wanted });
  const cell =
    Object.entries(settings)
      .flat()
      .join("-")
      .replaceAll(/[^\w-]/g, "") || "plain";
  const run = { cell, run: 0, stack: "dev", settings, chosen: {}, seconds: 1 };
  writeRun(join(folder, "results"), { ...run, fingerprint: fingerprintOf(result), result });
  return result.key;
}

const closed = (clients: number, batch = 1) => ({ clients, batch }) as Wanted["load"];
const open = (rate: number) =>
  ({ mode: "open", arrivals: "poisson", stages: [{ rate, durationSeconds: 10 }], connections: 8 }) as never;

async function written(slo?: number) {
  await runReport({ paths: [join(folder, "results")], folder: join(folder, "out"), title: "A <title>", slo });
  const read = (name: string) => readFileSync(join(folder, "out", name), "utf8");
  const html = read("report.html");
  const { document } = parseHTML(html);
  const figures = [...document.querySelectorAll("figure.plot")].map((figure) => ({
    title: figure.querySelector("h3")!.textContent,
    caption: figure.querySelector("figcaption")!.textContent!,
    svg: [...figure.querySelectorAll("svg")].at(-1)!,
    text: figure.textContent!,
  }));
  return { html, document, csv: read("report.csv"), markdown: read("report.md"), figures };
}

test("a sweep gets all its figures, each with its verdicts and its environment, and loads nothing", async () => {
  for (const instances of [1, 2])
    for (const [protocol, batch] of [
      ["v2-grpc", 1],
      ["v2-rest", 1],
      ["v2-grpc", 8],
    ] as const)
      for (const clients of [1, 2, 4])
        store(
          { instances, "benchmark.protocol": protocol, "benchmark.batch": batch, "benchmark.clients": clients },
          {
            throughput: 100 * instances,
            load: closed(clients, batch),
            target: { protocol },
            plan: { hash: `p${instances}`, instances, clientCpus: "1" },
          },
        );
  for (const rate of [50, 100]) store({ "benchmark.load.rate": rate }, { load: open(rate), p99: rate / 4 });
  const { figures, html } = await written(20);
  expect(figures.map(({ title }) => title)).toEqual([
    "Latency distribution",
    "Throughput against clients",
    "Throughput against instances",
    "Latency p99 against rate",
    "Protocols",
    "Throughput by clients and instances",
  ]);
  for (const { caption, svg } of figures) {
    expect(caption).toMatch(
      /\d+ runs: \d+ VALID, 0 INVALID\. a CPU, kernel 6\.1\.0, load client on Node\.js 24\.0\.0\.$/,
    );
    expect(svg.querySelectorAll("path, rect, circle").length).toBeGreaterThan(2);
  }
  expect(figures[3]!.text).toContain("SLO 20 ms");
  expect(html).not.toMatch(/<script|<link|src=|url\(|@import/);
  expect(html).toContain("A &lt;title&gt;");
});

test("an INVALID run is seen, but in no mean and no line", async () => {
  for (const clients of [1, 2])
    store({ "benchmark.clients": clients }, { throughput: 100 * clients, load: closed(clients) });
  store({ "benchmark.clients": 2 }, { throughput: 9999, load: closed(2), valid: false });
  store({ "benchmark.clients": 4 }, { throughput: 7777, load: closed(4), valid: false });
  const { figures, markdown, csv, document } = await written();
  const against = figures.find(({ title }) => title === "Throughput against clients")!;
  expect(against.caption).toContain("4 runs: 2 VALID, 2 INVALID.");
  expect(against.svg.querySelectorAll('g[aria-label="line"] path').length).toBe(1);
  expect(against.svg.querySelector('g[aria-label="line"] path')!.getAttribute("d")!.match(/L/g)).toHaveLength(1);
  expect(against.text).toContain("INVALID: Three requests failed.");
  expect(markdown).toMatch(/clients 2 \| 2 \| 200 \|.*1 INVALID: Three requests failed\./);
  expect(markdown).toMatch(/clients 4 \| 1 \| {2}\|/);
  expect(csv.match(/,INVALID,Three requests failed\.,/g)).toHaveLength(2);
  expect(document.querySelectorAll("tr.invalid").length).toBe(2);
});

test("a search is drawn from exactly its runs, with the interval, the latency that is kept and the fresh runs", async () => {
  const run = (rate: number, p99: number, valid = true) =>
    store({ "benchmark.load.rate": rate }, { load: open(rate), p99, valid });
  const tried = ([rate, p99, valid]: [number, number, boolean?]) => ({
    rate,
    judgement: p99 > 50 ? ("misses" as const) : ("keeps" as const),
    results: [run(rate, p99, valid)],
    latenciesMs: [p99],
  });
  run(80, 45); // of a sweep
  const winner = { rate: 80, inferencesPerSecond: 79, latencyMs: 41, results: [run(80, 41)] };
  const outcome = {
    format: SEARCH_FORMAT,
    key: "k",
    stack: "dev",
    endedAt: "",
    request: { slo: { percentile: "p99", latency: 50 } },
    searched: [
      {
        settings: {},
        capacity: { low: 80, high: 120, estimate: 100 },
        tried: [tried([40, 20]), tried([80, 40]), tried([120, 90]), tried([160, 70, false])],
        winner: { ...winner, costPer1000: null, joulesPerInference: null },
        utilization: null,
        instances: 1,
        runs: 5,
        notes: [],
      },
    ],
    pareto: [0],
    best: 0,
  } satisfies Outcome;
  writeOutcome(join(folder, "results", "search.json"), outcome);
  const figure = (await written()).figures.find(({ title }) => title!.startsWith("Search"))!;
  expect(figure.title).toMatch(/\(the best\)$/);
  const [dots, crosses, fresh] = [...figure.svg.querySelectorAll('g[aria-label="dot"]')].map(
    (dot) => dot.children.length,
  );
  expect({ dots, crosses, fresh }).toEqual({ dots: 3, crosses: 1, fresh: 1 });
  expect(figure.svg.querySelectorAll('g[aria-label="rect"] rect')).toHaveLength(1);
  expect(figure.text).toContain("SLO 50 ms");
  expect(figure.caption).toContain("between 80 and 120 requests/s");
  expect(figure.caption).toContain("at 80 (diamonds): 79 inferences/s, p99 41 ms.");
  expect(figure.caption).toContain("5 runs: 4 VALID, 1 INVALID.");
});

test("results of two machines or models are never in one figure", async () => {
  store({ a: 1 }, { environment: { kernel: "6.1.0" } });
  store({ a: 2 }, { environment: { kernel: "6.2.0" } });
  store({ a: 3 }, { target: { model: "other" } });
  const { document, figures } = await written();
  expect([...document.querySelectorAll("h2")].map((h2) => h2.textContent)).toEqual([
    "Model m",
    "Model m",
    "Model other",
  ]);
  expect(figures.map(({ caption }) => caption.match(/\d+ runs?|kernel [\d.]+/g)!.join())).toEqual([
    "1 run,kernel 6.1.0",
    "1 run,kernel 6.2.0",
    "1 run,kernel 6.1.0",
  ]);
});

test("corrupt and foreign files are named and skipped", async () => {
  store({ "benchmark.clients": 1 });
  const spoil = { "broken.json": "{", "foreign.json": '{"name": "x"}', "version.json": '{"schemaVersion": 99}' };
  for (const [name, text] of Object.entries(spoil)) writeFileSync(join(folder, "results", name), text);
  const { document, markdown } = await written();
  const named = [...document.querySelectorAll("li")].map((li) => li.textContent!);
  for (const name of Object.keys(spoil)) {
    expect(named.filter((line) => line.includes(name))).toHaveLength(1);
    expect(markdown).toContain(name);
  }
  expect(document.querySelectorAll("tbody tr").length).toBe(1);
});

test("without any result it says so and writes nothing", async () => {
  const at = { folder: join(folder, "out"), title: "x" };
  await expect(runReport({ paths: [folder], ...at })).rejects.toThrow(/no result in/);
  await expect(runReport({ paths: [join(folder, "none")], ...at })).rejects.toThrow(/no such file or folder/);
  await expect(runReport({ paths: [folder], slo: -1, ...at })).rejects.toThrow(/--slo: -1/);
  expect(readdirSync(folder)).toEqual([]);
});

test("a name that is a formula, or markup, is neither", async () => {
  store({ "benchmark.clients": 1 }, { valid: true, target: { model: `<img src=x>` } });
  store({ "benchmark.clients": 2 }, { about: {}, target: { model: "=cmd()|x" } });
  const { html, csv } = await written();
  expect(html).not.toContain("<img");
  expect(csv).not.toMatch(/^=/m);
});

test("500 results fit into 3 MB", async () => {
  for (let i = 0; i < 500; i++)
    store(
      { instances: 1 + (i % 10), "benchmark.clients": i },
      { throughput: i + 1, load: closed(i + 1), valid: i % 7 > 0 },
    );
  const { html, document } = await written();
  expect(document.querySelectorAll("tbody tr").length).toBe(500);
  expect(html.length).toBeLessThan(3e6);
});
