import { expect, it } from "vitest";
import { checkConfig } from "../../stacks/config.ts";
import { loadOf } from "../../stacks/load.ts";
import { dev } from "./program.ts";

function load(benchmark: object) {
  const { config, problems } = checkConfig({ ...dev, benchmark });
  expect(problems).toEqual([]);
  return loadOf(config!.benchmark);
}
const common = { warmupSeconds: 5, seed: 1, batch: 1, timeoutSeconds: 10 };

it("is a closed loop unless something else is asked for", () => {
  expect(load({})).toEqual({ mode: "closed", ...common, clients: 4, durationSeconds: 30 });
  expect(load({ clients: 2, warmup: 0, seed: 7, batch: 3, timeout: 0.5, load: { repeats: 10 } })).toEqual({
    mode: "closed",
    warmupSeconds: 0,
    seed: 7,
    batch: 3,
    timeoutSeconds: 0.5,
    clients: 2,
    repeats: 10,
  });
});

it("is an open loop as soon as there is a rate, with as many connections as the protocol takes", () => {
  const stages = [{ rate: 100, durationSeconds: 30 }];
  expect(load({ load: { rate: 100 } })).toEqual({
    mode: "open",
    ...common,
    arrivals: "poisson",
    stages,
    connections: 8,
  });
  expect(load({ protocol: "v2-rest", load: { rate: 100, arrivals: "constant" } })).toMatchObject({
    arrivals: "constant",
    connections: 64,
  });
  expect(
    load({
      load: {
        mode: "open",
        connections: 2,
        stages: [
          { rate: 10, duration: 5, ramp: true },
          { rate: 20, duration: 2 },
        ],
      },
    }),
  ).toMatchObject({
    connections: 2,
    stages: [
      { rate: 10, durationSeconds: 5, ramp: true },
      { rate: 20, durationSeconds: 2, ramp: false },
    ],
  });
});

it("is an MLPerf scenario with only what was given, so that MLPerf's own numbers stay", () => {
  expect(load({ load: { scenario: "SingleStream" } })).toEqual({ mode: "mlperf", ...common, scenario: "SingleStream" });
  expect(
    load({ load: { mode: "mlperf", scenario: "Server", targetQps: 50, latencyBound: 15, minDuration: 3 } }),
  ).toEqual({
    mode: "mlperf",
    ...common,
    scenario: "Server",
    targetQps: 50,
    latencyBoundMs: 15,
    minDurationSeconds: 3,
  });
});
