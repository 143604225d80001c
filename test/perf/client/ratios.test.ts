import { expect, test } from "vitest";
import { cases } from "./cases.ts";
import type { ToolName } from "./loaders.ts";
import { best, type CaseResult, type Figure, ratios } from "./ratios.ts";

const about = cases.find(({ name }) => name === "grpc-tiny")!;

const figure = (
  tool: ToolName,
  concurrency: number,
  requestsPerSecond: number,
  cpuMicrosPerRequest: number,
): Figure => ({
  tool,
  concurrency,
  requestsPerSecond,
  cpuMicrosPerRequest,
  p99Ms: 1,
  serverMicrosPerRequest: 1,
  others: 0,
  failed: 0,
});

const result = (...figures: Figure[]): CaseResult => ({
  about: { ...about, tools: about.tools.filter((tool) => figures.some((f) => f.tool === tool)) },
  figures,
});

test("a tool counts with the number in flight at which it is fastest", () => {
  const counted = best(
    result(figure("ours", 3, 10, 5), figure("ours", 4, 12, 6), figure("ghz", 3, 9, 9), figure("ghz", 4, 8, 8)),
  );
  expect(counted.map(({ tool, concurrency }) => [tool, concurrency])).toEqual([
    ["ours", 4],
    ["ghz", 3],
  ]);
});

test("a ratio at its target reaches it, one beyond does not, in the direction of each figure", () => {
  const reached = (ourRate: number, ourCpu: number) =>
    ratios(result(figure("ours", 16, ourRate, ourCpu), figure("ghz", 16, 100, 100))).map((ratio) => ratio.reached);
  expect(reached(180, 50)).toEqual([true, true]);
  expect(reached(179, 51)).toEqual([false, false]);
});

test("without a peer there is no ratio to it", () => {
  expect(ratios(result(figure("ours", 16, 1, 1)))).toEqual([]);
});
