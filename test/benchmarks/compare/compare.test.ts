import { expect, test } from "vitest";
import { type Comparison, compare, type Side } from "../../../benchmarks/compare/compare.ts";
import { ACCEPTABLE, MIN_RUNS } from "../../../benchmarks/compare/obstacles.ts";
import { comparisonAs } from "../../../benchmarks/compare/output.ts";
import type { Result } from "../../../benchmarks/result.ts";
import type { Settings } from "../../../benchmarks/sweep/store.ts";
import { resultOf, type Wanted } from "../results.ts";

const side = (name: string, wanted: readonly Wanted[], settings: Settings = {}): Side => ({
  name,
  runs: wanted.map((each, at) => ({ file: `${name}/${at}.json`, settings, result: resultOf({ at, ...each }) })),
});
/** Runs with a little noise around a throughput. */
const around = (throughput: number, runs = 5, more: Wanted = {}): Wanted[] =>
  Array.from({ length: runs }, (_, i) => ({ throughput: throughput * (1 + 0.01 * ((i % 3) - 1)), ...more }));

const base = side("base", around(160));
const obstacles = ({ cases }: Comparison) => cases.flatMap((each) => each.obstacles);

test("a large slow-down is slower, the reverse is faster, and neither is said of the same", () => {
  const verdicts = [140, 160, 180].map((rate) => {
    const { verdict, cases } = compare(base, side("new", around(rate)));
    return [verdict, cases[0]!.metrics.find(({ metric }) => metric === "throughput")!.decision];
  });
  expect(verdicts).toEqual([
    ["slower", "slower"],
    ["not slower", "no difference found"],
    ["not slower", "faster"],
  ]);
});

test("for latency, slower is higher; in an open loop the throughput is no figure of the servers", () => {
  const load = {
    mode: "open",
    arrivals: "poisson",
    stages: [{ rate: 100, durationSeconds: 10 }],
    connections: 8,
  } as never;
  const runs = (p50: number) =>
    around(100, 5).map(({ throughput }) => ({ load, p50: (p50 * throughput!) / 100, throughput: 100 }));
  const { verdict, cases } = compare(side("base", runs(10)), side("new", runs(12)));
  expect(verdict).toBe("slower");
  expect(cases[0]!.metrics.map(({ metric, decision }) => [metric, decision])).toEqual([
    ["latency p50", "slower"],
    ["latency p99", "no difference found"],
  ]);
});

const { servers, versions } = resultOf().environment;
const plan = { hash: "p2", instances: 1, clientCpus: "1" };
const images = { images: { client: "node", server: "server:2" } };
const digest = [{ ...servers[0]!, images: ["server@sha256:2"] }];
const cpus = [{ ...servers[0]!, cpusAllowed: "3" }];

test.each<[string, Wanted, string]>([
  ["kernel", { environment: { kernel: "6.2" } }, "Another environment: kernel 6.2 instead of 6.1.0."],
  ["cpu", { environment: { cpuModel: "another" } }, "CPU model another instead of a CPU."],
  ["nodejs", { environment: { versions: { ...versions, node: "25" } } }, "Node.js of the client 25 instead of 24.0.0."],
  ["client", { environment: { versions: { ...versions, client: "abc" } } }, "load client abc instead of source."],
  ["images", { environment: { servers: digest } }, "image digests server@sha256:2 instead of server@sha256:1."],
  ["cpus", { environment: { servers: cpus } }, "CPUs of the servers node-0 3 instead of node-0 0."],
])("another %s that nobody chose is not comparable, unless accepted", (part, wanted, why) => {
  const now = side("new", around(160, 5, wanted));
  const refused = compare(base, now);
  expect(refused.verdict).toBe("not comparable");
  expect(refused.cases[0]!.metrics).toEqual([]);
  expect(obstacles(refused).join()).toContain(why);
  expect(compare(base, now, { accept: [part] }).verdict).toBe("not slower");
});

test("what can be accepted is what makes a difference", () => {
  expect(ACCEPTABLE).toEqual(["kernel", "cpu", "nodejs", "client", "cpus", "images"]);
});

test("another image or plan that was chosen is what is compared", () => {
  const image = side("new", around(160, 5, { about: images, environment: { servers: digest } }));
  const otherPlan = side("new", around(160, 5, { plan, environment: { servers: cpus } }));
  expect(compare(base, image).verdict).toBe("not slower");
  expect(compare(base, otherPlan).verdict).toBe("not slower");
});

test("an INVALID result is left out and named, and too few valid ones are no baseline", () => {
  const spoilt = (name: string, bad: number) =>
    side(
      name,
      around(160).map((run, i) => (i < bad ? { ...run, valid: false, throughput: 1 } : run)),
    );
  const kept = compare(spoilt("base", 2), base);
  expect(kept.verdict).toBe("not slower");
  expect(kept.cases[0]!.invalid).toEqual(
    [0, 1].map((i) => ({ file: `base/${i}.json`, reasons: ["Three requests failed."] })),
  );
  expect(kept.cases[0]!.metrics[0]!.base).not.toContain(1);
  const none = compare(spoilt("base", 3), base);
  expect(none.verdict).toBe("not comparable");
  expect(obstacles(none)).toEqual([
    `There are 2 valid runs of the base (3 more are INVALID and left out); ${MIN_RUNS} are needed.`,
  ]);
});

test("results of other loads are named and not compared", () => {
  const other = compare(base, side("new", around(160, 5, { load: { clients: 9 } as never })));
  expect(other.verdict).toBe("not comparable");
  expect(other.notes.join()).toMatch(/Only in base: .* 2 clients .*Only in new: .* 9 clients .*nothing in common/);
});

test("the configurations of a sweep are compared one by one; mixed without settings they are refused", () => {
  const swept = (fast: number, slow: number): Side => ({
    name: "sweep",
    runs: [
      ...side("a", around(fast, 4), { instances: 1 }).runs,
      ...side("b", around(slow, 4, { plan }), { instances: 2 }).runs,
    ],
  });
  const { verdict, cases } = compare(swept(160, 320), swept(160, 250));
  expect(verdict).toBe("slower");
  expect(cases.map(({ name, metrics }) => [name.match(/instances=\d/)?.[0], metrics[0]!.decision])).toEqual([
    ["instances=1", "no difference found"],
    ["instances=2", "slower"],
  ]);
  const mixed: Side = { name: "mixed", runs: swept(160, 320).runs.map((run) => ({ ...run, settings: {} })) };
  expect(obstacles(compare(mixed, mixed)).join()).toContain("mixes 2 configurations");
});

test("sides that were not measured in turn are noted", () => {
  const note = (now: Wanted[]) => compare(base, side("new", now)).cases[0]!.notes.join();
  expect(note(around(160).map((run, i) => ({ ...run, at: 100 + i })))).toContain("Measure both in turn");
  expect(note(around(160))).not.toContain("in turn");
});

test("a figure for which some run has too few samples is left out and said so", () => {
  const few = side(
    "new",
    around(160).map((run, i) => (i ? run : { ...run, p99: null })),
  );
  const [only] = compare(base, few).cases;
  expect(only!.metrics.map(({ metric }) => metric)).toEqual(["throughput"]);
  expect(only!.notes).toContain("Without latency p99: not every run has enough samples for it.");
});

const outcomes: [string, Comparison][] = [
  ["slower", compare(base, side("new", around(140)))],
  ["not comparable", compare(base, side("new", around(160, 2)))],
  ["nothing in common", compare(base, side("new", []))],
];

test.each(outcomes)("says it in every format: %s", (_, comparison) => {
  const text = (["table", "markdown", "junit"] as const).map((format) => comparisonAs(format, comparison));
  expect(text.join("\n\n")).toMatchSnapshot();
  expect(JSON.parse(comparisonAs("json", comparison))).toEqual(comparison);
});

test("JUnit's XML survives whatever is in a name", () => {
  const odd: Result["target"]["model"] = `<a&"b"\u0001>`;
  const runs = around(160, 5, { target: { model: odd } });
  const xml = comparisonAs("junit", compare(side("base", runs), side("new", runs)));
  expect(xml).toContain("&lt;a&amp;&quot;b&quot;?&gt;");
});
