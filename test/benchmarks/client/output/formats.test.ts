import { decodeFromCompressedBase64, type Histogram } from "hdr-histogram-js";
import { describe, expect, test } from "vitest";
import { columns } from "../../../../benchmarks/client/output/csv.ts";
import { invalidLines, printed } from "../../../../benchmarks/client/output/format.ts";
import { Samples } from "../../../../benchmarks/client/samples.ts";
import { table } from "../../../../benchmarks/client/table.ts";
import { parseResult, type Result } from "../../../../benchmarks/result.ts";
import { goodRun } from "../facts.ts";

const valid: Result = { ...goodRun(), verdict: { valid: true, reasons: [], notes: [] } };
const reasons = ["The sky fell.", "It rained."];
const invalid: Result = { ...valid, verdict: { valid: false, reasons, notes: ["It was Monday."] } };
const [only] = valid.segments;
const stages: Result = {
  ...valid,
  load: {
    ...valid.load,
    requested: {
      mode: "open",
      warmupSeconds: 1,
      seed: 1,
      batch: 4,
      timeoutSeconds: 10,
      arrivals: "constant",
      stages: [
        { rate: 100, durationSeconds: 5 },
        { rate: 300, durationSeconds: 5, ramp: true },
      ],
      connections: 8,
    },
    schedule: { requests: 1500, requestsPerSecond: 150, hash: "0123456789abcdef" },
  },
  segments: [
    { ...only!, startSeconds: 0, durationSeconds: 5, requestedRate: 100, sent: 500, answered: 500, sentPerSecond: 100 },
    {
      ...only!,
      startSeconds: 5,
      durationSeconds: 5,
      requestedRate: 300,
      sent: 1000,
      answered: 990,
      failed: 10,
      sentPerSecond: 200,
    },
  ],
};

describe("table", () => {
  const row = (result: Result, name: string) =>
    table(result)
      .split("\n")
      .filter((line) => line.startsWith(name.padEnd(14)))
      .map((line) => line.slice(14));

  test("of a closed loop", () => {
    const { requested } = valid.load;
    expect(requested).toMatchObject({ mode: "closed", clients: 2 });
    expect(row(valid, "load")[0]).toMatch(/^2 clients in a closed loop for 10 s, warm-up 1 s$/);
    expect(row(valid, "latency")[0]).toMatch(/^mean 5 ms, p50 5 ms/);
    expect(row(valid, "verdict")).toEqual(["VALID"]);
    for (const absent of ["rate", "segments", "MLPerf", "because"]) expect(row(valid, absent)).toEqual([]);
    expect(row(valid, "on the wire")[0]).toMatch(/^\d.* per request \(message .*\), .* per reply \(message .*\)$/);
    expect(row(valid, "client")[0]).toMatch(
      /^its event loop had work \d+ % of the time, lag p99 .* ms, \d+ us of CPU per request$/,
    );
  });

  test("the verdict has its reasons and notes", () => {
    expect(row(invalid, "verdict")).toEqual(["INVALID"]);
    expect(row(invalid, "because")).toEqual(reasons);
    expect(row(invalid, "note")).toEqual(["It was Monday."]);
  });

  test("every stage has a line, beside the rate that was asked for", () => {
    expect(row(stages, "load")[0]).toBe(
      "constant arrivals in an open loop: 100/s for 5 s, ramp to 300/s for 5 s; 8 connections, batches of 4, warm-up 1 s",
    );
    expect(row(stages, "rate")[0]).toMatch(
      /requests\/s sent; 1500 requests asked for, 150\.0\/s \(schedule 0123456789ab\)$/,
    );
    expect(row(stages, "segments")[0]).toMatch(/^0\.0-5\.0 s: 100\.0 of 100\.0 requests\/s, 500 answered; mean 5 ms/);
    expect(table(stages)).toMatch(/\n {14}5\.0-10\.0 s: 200\.0 of 300\.0 requests\/s, 990 answered, 10 failed; mean/);
  });

  test("MLPerf has its metric, or says that there is none", () => {
    const mlperf = {
      scenario: "SingleStream",
      metric: "90th percentile latency",
      value: 5.12345,
      unit: "ms",
      queries: 2000,
      overridden: ["Less."],
    };
    expect(row({ ...valid, mlperf }, "MLPerf")).toEqual([
      "SingleStream, 90th percentile latency: 5.123 ms (2000 queries; MLPerf's own rules overridden)",
    ]);
    expect(row({ ...valid, mlperf: { ...mlperf, value: null, overridden: [] } }, "MLPerf")).toEqual([
      "SingleStream, 90th percentile latency: not enough queries for it (2000 queries)",
    ]);
  });
});

test("json is the result, and the result can be read back", () => {
  expect(parseResult(printed.json(invalid))).toEqual(invalid);
});

describe("csv", () => {
  const rows = (result: Result) =>
    printed
      .csv(result)
      .trimEnd()
      .split("\n")
      .map((line) => line.split(","));
  const cell = (row: readonly string[] | undefined, column: (typeof columns)[number]) => row?.[columns.indexOf(column)];

  test("has a header, a line for each segment and one for the total, all of the same columns", () => {
    const [header, first, second, total, ...rest] = rows(stages);
    expect(header).toEqual([...columns]);
    expect(rest).toEqual([]);
    for (const row of [first, second, total]) expect(row).toHaveLength(columns.length);
    expect([first, second, total].map((row) => cell(row, "segment"))).toEqual(["1", "2", "total"]);
    expect([first, second, total].map((row) => cell(row, "requestedRate"))).toEqual(["100", "300", "150"]);
    expect([first, second, total].map((row) => cell(row, "failed"))).toEqual(["0", "10", "0"]);
    expect(cell(total, "inferencesPerSecond")).toBe(String(stages.throughput.inferencesPerSecond));
    expect(cell(total, "latencyMs.p99")).toBe(String(stages.latencyMs.p99));
    expect(cell(total, "slipMs.max")).toBe(String(stages.slipMs.max));
    expect(cell(total, "valid")).toBe("true");
  });

  test("leaves empty what there is not", () => {
    const [, first, total] = rows({ ...invalid, latencyMs: { ...valid.latencyMs, p999: null } });
    expect(cell(first, "valid")).toBe("");
    expect(cell(total, "requestedRate")).toBe("");
    expect(cell(total, "latencyMs.p999")).toBe("");
    expect(cell(total, "valid")).toBe("false");
  });
});

test("hgrm is HdrHistogram's percentile distribution in milliseconds", () => {
  const samples = new Samples();
  for (let i = 1; i <= 10_000; i++) samples.record(i / 10);
  const latency = samples.toJSON();
  const text = printed.hgrm({ ...valid, histogram: { ...valid.histogram, latency } });
  const lines = text.split("\n").map((line) => line.trim());
  expect(lines[0]).toMatch(/^Value\s+Percentile\s+TotalCount\s+1\/\(1-Percentile\)$/);
  const points = lines.filter((line) => /^[\d.]+ /.test(line)).map((line) => line.split(/\s+/).map(Number));
  const histogram = decodeFromCompressedBase64(latency.hdr) as Histogram;
  expect(points.length).toBeGreaterThan(20);
  for (const [value, percentile] of points)
    expect(value! * 1000).toBeCloseTo(histogram.getValueAtPercentile(percentile! * 100), -1);
  expect(points.at(-1)).toMatchObject({ 1: 1, 2: 10_000 });
  expect(text).toMatch(/#\[Mean +=[\s\S]*Total count +=\s+10000\]/);
});

test("formats without room for the verdict say it beside", () => {
  expect(invalidLines(valid)).toBe("");
  expect(invalidLines(invalid)).toBe("INVALID: The sky fell.\nINVALID: It rained.\n");
});
