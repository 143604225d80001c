import { describe, expect, it } from "vitest";
import { Samples } from "../../../benchmarks/client/samples.ts";
import type { Result } from "../../../benchmarks/result.ts";
import { clipperJson, guideLog } from "../../../benchmarks/sweep/export.ts";
import type { Run } from "../../../benchmarks/sweep/store.ts";
import { resultOf } from "./facts.ts";

const samples = new Samples();
for (const ms of [12, 7.5, 30, 7.5]) samples.record(ms);
const server = (node: string) => ({
  pod: "p",
  node,
  address: "a",
  cpusPlanned: "0",
  cpusAllowed: "0",
  images: [],
  throttledShare: null,
});
const base = resultOf("0123456789ab", { startedAt: "2026-11-21T18:04:05.678Z" });
const result: Result = {
  ...base,
  histogram: { ...base.histogram, latency: samples.toJSON() },
  environment: { ...base.environment, servers: [server("node1"), server("node1"), server("node2"), server("node2")] },
};
const run: Run = { cell: "c", run: 0, stack: "dev", settings: { instances: 2 }, chosen: {}, fingerprint: "f", result };

describe("the log of the guide's script", () => {
  it("is named by nodes, instances on each and clients, and lists every latency", () => {
    const { name, text } = guideLog(run)!;
    expect(name).toBe("log_n2_i2_c2_20261121-180405.txt");
    const [head, ...latencies] = text.trim().split("\n");
    expect(head).toBe("total: 10.000 seconds, throughput 100.00 imgs/s");
    const exact = [7.5, 7.5, 12, 30];
    expect(latencies).toHaveLength(4);
    for (const [index, ms] of exact.entries()) expect(Number(latencies[index]) / ms).toBeCloseTo(1, 2);
  });

  it("is there for a load with clients alone", () => {
    const requested = { ...result.load.requested, mode: "open" } as Result["load"]["requested"];
    expect(guideLog({ result: { ...result, load: { ...result.load, requested } } })).toBeUndefined();
  });
});

describe("the JSON of Clipper's driver", () => {
  const { clipper_metrics: metrics } = JSON.parse(clipperJson(run).text);

  it("has its four kinds of metrics, in lists of one each, with texts for values", () => {
    expect(Object.keys(metrics)).toEqual(["histograms", "meters", "ratio_counters", "counters"]);
    const entries = Object.values<Record<string, Record<string, string>>[]>(metrics).flat();
    for (const entry of entries) {
      expect(Object.keys(entry)).toHaveLength(1);
      for (const value of Object.values(Object.values(entry)[0]!)) expect(typeof value).toBe("string");
    }
  });

  it("says the latency in microseconds, the throughput and the number of predictions", () => {
    const latency = metrics.histograms[0]["app:m:prediction_latency"];
    expect(latency).toMatchObject({ size: "4", min: "7500", max: "30000", unit: "microseconds", mean: "14250" });
    expect(Number(latency.p99) / 30000).toBeCloseTo(1, 2);
    expect(metrics.meters[1]["app:m:prediction_throughput"].rate).toBe("100");
    expect(metrics.counters[0]["internal:aggregate_num_predictions"].count).toBe("1000");
  });
});
