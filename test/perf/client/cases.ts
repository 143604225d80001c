import type { ToolName } from "./loaders.ts";
import type { Request } from "./request.ts";

export interface Case {
  readonly name: string;
  readonly server: "null" | "triton";
  readonly size: "large" | "tiny";
  readonly protocol: Request["protocol"];
  /** In the order of the rounds. */
  readonly tools: readonly ToolName[];
  /** Requests in flight at once; each tool counts with the one it is fastest at. */
  readonly concurrency: readonly number[];
  readonly targets: readonly Goal[];
}

/** What our figure, divided by a peer's, should be. */
export interface Goal {
  readonly peer: ToolName;
  readonly figure: "cpuMicrosPerRequest" | "requestsPerSecond";
  /** The most for CPU time, the least for the rate. */
  readonly ratio: number;
}

const cpu = (peer: ToolName, ratio: number): Goal => ({ peer, figure: "cpuMicrosPerRequest", ratio });
const rate = (peer: ToolName, ratio: number): Goal => ({ peer, figure: "requestsPerSecond", ratio });

export const cases: readonly Case[] = [
  {
    name: "grpc-602KB",
    server: "null",
    size: "large",
    protocol: "v2-grpc",
    tools: ["ours", "ghz"],
    concurrency: [3, 4],
    targets: [cpu("ghz", 0.55)],
  },
  {
    name: "grpc-tiny",
    server: "null",
    size: "tiny",
    protocol: "v2-grpc",
    tools: ["ours", "ghz", "ghz-no-templates"],
    concurrency: [16],
    targets: [cpu("ghz", 0.5), rate("ghz", 1.8)],
  },
  {
    name: "rest-tiny",
    server: "null",
    size: "tiny",
    protocol: "v2-rest",
    tools: ["ours", "k6", "locust"],
    concurrency: [16],
    targets: [cpu("k6", 0.6), cpu("locust", 0.6), rate("k6", 1.5)],
  },
  {
    name: "grpc-602KB-triton",
    server: "triton",
    size: "large",
    protocol: "v2-grpc",
    tools: ["ours", "ghz"],
    concurrency: [3, 4],
    targets: [rate("ghz", 1), cpu("ghz", 1)],
  },
];
