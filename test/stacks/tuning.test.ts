import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WINNER_FORMAT, type Winner } from "../../benchmarks/search/outcome.ts";
import { checkConfig } from "../../stacks/config.ts";
import { dev, measured, presetConfig, runProgram } from "./program.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "winner-"));
  file = join(folder, "winner.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

const winner: Winner = {
  format: WINNER_FORMAT,
  stack: "low-latency",
  endedAt: "2026-11-21T18:00:00.000Z",
  settings: { instances: 4 },
  verdict: { valid: true, reasons: [] },
  rate: 100,
  inferencesPerSecond: 100,
  latencyMs: 40,
  instances: 4,
  utilization: 0.6,
};
const write = (changes: object = {}) => writeFileSync(file, JSON.stringify({ ...winner, ...changes }));
/** The production stack of the checkout, with its winner in this test's folder. */
const production = () => ({ ...presetConfig("production"), tuning: { winner: file } });
const HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler";

async function deployed(config = production()) {
  const { resources } = await runProgram(config, { result: measured });
  const [scaler] = resources.filter(({ type }) => type === HPA);
  const { minReplicas, metrics } = scaler!.inputs.spec;
  return { minReplicas, target: metrics[0].resource.target };
}

describe("the production stack", () => {
  it("has the instances and the target that are in its file as long as there is no winner", async () => {
    expect(await deployed()).toMatchObject({ minReplicas: 2, target: { averageUtilization: 70 } });
  });

  it("takes both from the winner of a search", async () => {
    write();
    // 4 servers on 48 cores: at the winner's rate each uses 60 % of its 12 cores, and it requests 11.5.
    expect(await deployed()).toMatchObject({ minReplicas: 4, target: { averageUtilization: 62 } });
  });

  it("keeps what it has when the winner is INVALID", async () => {
    write({ verdict: { valid: false, reasons: ["It drifted."] } });
    expect(await deployed()).toMatchObject({ minReplicas: 2, target: { averageUtilization: 70 } });
  });

  it("keeps its target when no run saturated the servers", async () => {
    write({ utilization: null });
    expect(await deployed()).toMatchObject({ minReplicas: 4, target: { averageUtilization: 70 } });
  });

  it("is refused with a file that is no winner, or a winner that cannot be here", () => {
    writeFileSync(file, "{");
    expect(checkConfig(production()).problems).toEqual([expect.stringMatching(/^tuning.winner: .* is not the winner/)]);
    write({ instances: 5 });
    expect(checkConfig(production()).problems.join()).toMatch(/instances: 5 does not divide cpus/);
  });

  it("is the only one that is tuned", () => {
    expect(checkConfig(dev).config!.tuning).toEqual({});
  });
});
