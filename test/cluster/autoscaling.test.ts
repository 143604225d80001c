import { afterAll, describe, expect, it } from "vitest";
import { cli, configs, result, succeed } from "./cli.ts";

/** A load that one server can carry with more CPU than it is to use, and before and after it next to none. */
const scaled = configs([
  "pinning=none",
  "metricsServer.enabled=true",
  "metricsServer.resolution=10",
  "autoscaling.enabled=true",
  "autoscaling.resourceLimiting=300m",
  "autoscaling.stabilization.down=15",
  "benchmark.warmup=2",
  `benchmark.load.stages=${JSON.stringify([
    { rate: 4, duration: 10 },
    { rate: 60, duration: 45 },
    { rate: 4, duration: 75 },
  ])}`,
  "benchmark.slo.p99Ms=2000",
]);
const inTurn = (counts: readonly number[]) => counts.filter((count, i) => count !== counts[i - 1]);

describe("autoscaling", () => {
  afterAll(() => cli("stop", "--purge"));

  it("adds a server under load and removes it after, loses no request, and says how long that took", async () => {
    const printed = await succeed("start", ...scaled);
    expect(printed).toMatch(/scaling +1 -> 2 -> 1 servers Ready; after the step at 10 s: further pod \d/);
    const { scaling, servers, environment, counts, correctness, load } = await result();
    expect(inTurn(scaling!.timeline.map(({ wanted }) => wanted))).toEqual([1, 2, 1]);
    expect(inTurn(scaling!.timeline.map(({ ready }) => ready))).toEqual([1, 2, 1]);
    const { stepAtSeconds, decisionSeconds, reactionSeconds, flaps } = scaling!;
    expect({ stepAtSeconds, flaps }).toEqual({ stepAtSeconds: 10, flaps: 0 });
    expect(decisionSeconds).toBeGreaterThan(0);
    expect(reactionSeconds).toBeGreaterThanOrEqual(decisionSeconds!);
    expect(reactionSeconds).toBeLessThan(45);
    expect(scaling!.windows.reduce((sum, { due }) => sum + due, 0)).toBe(load.schedule!.requests);
    // One did at the low rate before; the second stayed on for a while after.
    expect(scaling!.overProvisionedCoreSeconds).toBeGreaterThan(1);
    expect(environment.servers.map(({ pod }) => pod).sort()).toEqual(["server-node1-0", "server-node1-1"]);
    expect(servers).toHaveLength(2);
    for (const { answered } of servers) expect(answered).toBeGreaterThan(50);
    expect(counts).toMatchObject({ sent: load.schedule!.requests, failed: 0, unsent: 0 });
    expect(correctness.wrong).toBe(0);
  });
});
