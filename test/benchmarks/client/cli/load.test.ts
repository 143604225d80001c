import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseLoad } from "../../../../benchmarks/client/cli/load.ts";
import { parseStages } from "../../../../benchmarks/client/cli/stages.ts";
import { parseThresholds } from "../../../../benchmarks/client/cli/thresholds.ts";
import type { Load, ProtocolName } from "../../../../benchmarks/spec.ts";
import { flagsOf } from "./flags.ts";

const loadOf = async (line: string, inputs = 3, protocol: ProtocolName = "v2-grpc") =>
  parseLoad(await flagsOf(...line.split(" ").filter(Boolean)), { inputs, protocol });

const common = { warmupSeconds: 2, seed: 1 };
const mlperf = { mode: "mlperf", ...common } as const;

describe("flags make a load", () => {
  const cases: [string, Load][] = [
    ["", { mode: "closed", ...common, clients: 1, durationSeconds: 10 }],
    [
      "--clients 4 --duration 0.5 --warmup 0",
      { mode: "closed", ...common, warmupSeconds: 0, clients: 4, durationSeconds: 0.5 },
    ],
    [
      "--seed 7 --batch 8 --timeout 1.5",
      { mode: "closed", warmupSeconds: 2, seed: 7, batch: 8, timeoutSeconds: 1.5, clients: 1, durationSeconds: 10 },
    ],
    ["--repeats 5", { mode: "closed", ...common, warmupSeconds: 0, clients: 1, repeats: 15 }],
    [
      "--repeats 5 --warmup 2 --clients-number 2",
      { mode: "closed", ...common, warmupSeconds: 0, clients: 2, repeats: 15, warmupRepeats: 6 },
    ],
    ["--repeats 5 --batch 2", { mode: "closed", ...common, warmupSeconds: 0, batch: 2, clients: 1, repeats: 10 }],
    ["--ingress a:1", { mode: "closed", ...common, warmupSeconds: 0, clients: 1, repeats: 3 }],
    ["--ingress a:1 --duration 3", { mode: "closed", ...common, clients: 1, durationSeconds: 3 }],
    [
      "--rate 50",
      { mode: "open", ...common, arrivals: "poisson", stages: [{ rate: 50, durationSeconds: 10 }], connections: 8 },
    ],
    [
      "--rate 0.5 --duration 60 --arrivals constant --connections 2",
      { mode: "open", ...common, arrivals: "constant", stages: [{ rate: 0.5, durationSeconds: 60 }], connections: 2 },
    ],
    [
      "--stages 100:10,/200:30",
      {
        mode: "open",
        ...common,
        arrivals: "poisson",
        stages: [
          { rate: 100, durationSeconds: 10 },
          { rate: 200, durationSeconds: 30, ramp: true },
        ],
        connections: 8,
      },
    ],
    ["--scenario SingleStream", { ...mlperf, scenario: "SingleStream" }],
    [
      "--scenario MultiStream --samples-per-query 4 --min-queries 10",
      { ...mlperf, scenario: "MultiStream", samplesPerQuery: 4, minQueries: 10 },
    ],
    [
      "--scenario Server --target-qps 100 --latency-bound 15 --min-duration 5 --connections 3",
      { ...mlperf, scenario: "Server", targetQps: 100, latencyBoundMs: 15, minDurationSeconds: 5, connections: 3 },
    ],
    ["--scenario Offline --samples-per-query 30000", { ...mlperf, scenario: "Offline", samplesPerQuery: 30_000 }],
  ];
  test.each(cases)("%s", async (line, load) => expect(await loadOf(line)).toEqual(load));

  test("over HTTP/1.1 an open loop has more connections, because each carries one request", async () => {
    expect(await loadOf("--rate 5", 1, "tfs-rest")).toMatchObject({ connections: 64 });
  });
});

describe("flags that contradict each other are one sentence", () => {
  const cases: [string, RegExp][] = [
    [
      "--clients 4 --rate 100",
      /^--clients 4 belongs to a closed loop, but --rate 100 makes it an open loop\. Leave one of them out\.$/,
    ],
    [
      "--repeats 4 --scenario Offline",
      /^--repeats 4 belongs to a closed loop, but --scenario Offline makes it an MLPerf scenario/,
    ],
    ["--stages 1:1 --scenario Offline", /^--stages 1:1 belongs to an open loop, but --scenario Offline/],
    [
      "--arrivals constant",
      /^--arrivals constant belongs to an open loop, and nothing asks for one\. Add --rate or --stages, or leave it out\.$/,
    ],
    [
      "--min-queries 5 --clients 2",
      /^--min-queries 5 belongs to an MLPerf scenario, and nothing asks for one\. Add --scenario, /,
    ],
    ["--rate 5 --latency-bound 5", /^--latency-bound 5 belongs to an MLPerf scenario, but --rate 5/],
    ["--stages 1:1 --rate 5", /^--stages 1:1 says the rates and how long each lasts, and so does --rate 5\./],
    ["--stages 1:1 --duration 5", /and so does --duration 5\./],
    ["--repeats 2 --duration 5", /^--repeats 2 and --duration 5 both say when to end\./],
    ["--clients 2 --clients-number 3", /^--clients 2 and --clients-number 3 mean the same\./],
    ["--clients 2 --connections 3", /^--connections 3 belongs to an open loop or an MLPerf scenario/],
    ["--repeats 2 --warmup 1.5", /^--warmup 1\.5 counts repeats when/],
    [
      "--scenario Offline --duration 5",
      /^--duration 5 has no meaning with --scenario Offline.*--min-duration and --min-queries\.$/,
    ],
    ["--scenario Server", /^--scenario Server sends queries at a rate: give --target-qps/],
    [
      "--scenario Server --target-qps 5",
      /^--scenario Server asks how many queries are answered in time: give --latency-bound/,
    ],
    ["--scenario Offline --target-qps 5", /^--target-qps 5 belongs to --scenario Server, not to --scenario Offline/],
    [
      "--scenario SingleStream --samples-per-query 2",
      /^--samples-per-query 2: a query of --scenario SingleStream is one request/,
    ],
    ["--scenario Offline --min-queries 2", /^--min-queries 2: --scenario Offline has a single query/],
    [
      "--threads 3 --clients 2",
      /^--threads 3 cannot share 2 clients: each needs one of its own\. Use at most 2, or --clients 3 or more\.$/,
    ],
    ["--threads 9 --rate 5", /^--threads 9 cannot share 8 connections/],
    ["--threads 2 --scenario MultiStream", /^--threads 2: --scenario MultiStream has one query at a time/],
    ["--stages 1-2:3", /^--stages 1-2:3: stage 1, "1-2:3", is not RATE:SECONDS .* an example is 100:10,\/200:30\.$/],
    ["--stages 1:2,", /stage 2, "", is not/],
    ["--stages 1:0", /stage 1, "1:0", is not/],
    ["--stages 0:5,0:6", /never sends anything: every rate is 0/],
    ["--stages /nowhere/at-all.json", /^Cannot read the stages from \/nowhere\/at-all\.json: ENOENT/],
  ];
  test.each(cases)("%s", (line, sentence) => expect(loadOf(line)).rejects.toThrow(sentence));
});

describe("values that are no values are refused with what is allowed", () => {
  const cases: [string, RegExp][] = [
    ["--clients 0", /'0' is invalid\. It must be a whole number from 1/],
    ["--clients 1.5", /'1\.5' is invalid/],
    ["--clients 0x10", /'0x10' is invalid/],
    ["--rate 0", /It must be a number above 0/],
    ["--rate Infinity", /'Infinity' is invalid/],
    ["--duration NaN", /'NaN' is invalid/],
    ["--warmup -1", /It must be a number from 0/],
    ["--max-error-rate 5", /It must be a share from 0 to 1, such as 0\.01 for 1 %/],
    ["--port 70000", /It must be a whole number from 1 to 65535/],
    ["--debug maybe", /'maybe' is invalid\. It must be true or false/],
    ["--arrivals uniform", /Allowed choices are constant, poisson/],
    ["--scenario Edge", /Allowed choices are SingleStream, MultiStream, Server, Offline/],
    ["--client 4", /unknown option '--client'\n\(Did you mean --clients\?\)/],
    ["surplus", /too many arguments/],
  ];
  test.each(cases)("%s", (line, message) => expect(loadOf(line)).rejects.toThrow(message));

  test("--debug takes true, false, or nothing", async () => {
    expect((await flagsOf("--debug")).debug).toBe(true);
    expect((await flagsOf("--debug", "True")).debug).toBe(true);
    expect((await flagsOf("--debug", "false")).debug).toBe(false);
    expect((await flagsOf("--debug", "--tls")).debug).toBe(true);
    expect((await flagsOf()).debug).toBeUndefined();
  });
});

describe("stages", () => {
  test("what is written in the notation is read back", () => {
    const amount = fc.double({ min: 0.001, max: 1e6, noNaN: true }).map((value) => Number(value.toFixed(3)));
    const stage = fc.record({ rate: amount, durationSeconds: amount, ramp: fc.boolean() });
    fc.assert(
      fc.property(fc.array(stage, { minLength: 1, maxLength: 9 }), (stages) => {
        const text = stages.map(({ rate, durationSeconds, ramp }) => `${ramp ? "/" : ""}${rate}:${durationSeconds}`);
        expect(parseStages(text.join(","))).toEqual(
          stages.map(({ ramp, ...rest }) => (ramp ? { ...rest, ramp } : rest)),
        );
      }),
    );
  });

  test("a JSON file holds the same", () => {
    const file = join(mkdtempSync(join(tmpdir(), "stages-")), "stages.json");
    const read = (value: unknown) => {
      writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
      return () => parseStages(file);
    };
    const stages = [
      { rate: 5, durationSeconds: 1 },
      { rate: 0, durationSeconds: 2, ramp: true },
    ];
    expect(read(stages)()).toEqual(stages);
    expect(read("[")).toThrow(/^Cannot read the stages from .*stages\.json: .*JSON/);
    expect(read([])).toThrow(/must hold a list of stages with at least one entry; an example is \[\{"rate": 100/);
    expect(read([{ rate: 1, duration: 2 }])).toThrow(/stage 1: there is no "duration"; allowed are "rate"/);
    expect(read([stages[0], { rate: -1, durationSeconds: 2 }])).toThrow(
      /stage 2: "rate" must be a number from 0.*not -1/,
    );
    expect(read([{ rate: 1, durationSeconds: "2" }])).toThrow(/"durationSeconds" must be a number above 0, not "2"/);
    expect(read([{ rate: 1, durationSeconds: 1, ramp: "yes" }])).toThrow(/"ramp" must be true or false, not "yes"/);
    expect(read([null])).toThrow(/stage 1: it is null, not an object/);
  });
});

test("every threshold has its flag", async () => {
  const line =
    "--max-error-rate 0.5 --min-requests 7 --max-drift 0.3 --max-rate-error 0.02 --max-slip-ms 9 --max-slip-share 0.4 --max-client-busy 0.6 --max-throttled 0.07";
  expect(parseThresholds(await flagsOf(...line.split(" ")))).toEqual({
    maxErrorRate: 0.5,
    minRequests: 7,
    maxDrift: 0.3,
    maxRateError: 0.02,
    maxSlipMs: 9,
    maxSlipShare: 0.4,
    maxClientBusy: 0.6,
    maxThrottled: 0.07,
  });
  expect(parseThresholds({})).toMatchObject({ maxErrorRate: 0, maxRateError: 0.01, maxClientBusy: 0.9 });
});
