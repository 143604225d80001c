import { expect, test } from "vitest";
import { cli, configs } from "./cli.ts";

/** A stack that was never deployed: the engine and the policy pack are real, and there is no cluster. */
const review = (...sets: string[]) => cli("preview", "--stack", "low-latency", "--markdown", ...configs(sets));

test("a change is reviewed by the real engine with the policy pack, without a cluster", async () => {
  const { code, output } = await review();
  expect(output).toContain(
    "hold (benchmarks-with-verdict, cpus-once, no-public-services, pinned-images, restricted-pods",
  );
  expect(output).toContain("| node2 | 2 | 0-23@0 24-47@1 | shared | none |");
  expect(output).toMatch(/\*\*Experiment\*\* `[0-9a-f]{12}`/);
  expect(code).toBe(0);
});

test("what breaks a mandatory rule stops the preview", async () => {
  const { code, output } = await review(
    "images.triton=registry.example/triton:latest",
    "benchmark.thresholds.maxDrift=0.9",
  );
  expect(output).toMatch(
    /\*\*refused\*\* \| pinned-images \| `server-node1` \| .*"registry\.example\/triton:latest" has a tag that moves/,
  );
  expect(output).toMatch(/\*\*refused\*\* \| benchmarks-with-verdict \|.*maxDrift: 0\.9 lets everything pass/);
  expect(code).not.toBe(0);
});

test("a mistake in the config is the comment", async () => {
  const { code, output } = await review("instances=5");
  expect(output).toContain("instances: 5 does not divide cpus");
  expect(code).not.toBe(0);
});
