/**
 * What each tool says of a server whose latencies are known: it takes 40 ms, and does nothing for 1 s in every 10 s.
 * `npm run bench:truth`, about four minutes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dueTimes } from "../../../benchmarks/client/pacer.ts";
import type { Result } from "../../../benchmarks/result.ts";
import type { Load } from "../../../benchmarks/spec.ts";
import { loaders, type Report, type ToolName } from "./loaders.ts";
import { machine } from "./machine.ts";
import { clientCpu, pinned, startNullServer } from "./pinned.ts";
import { grid } from "./ratios.ts";
import { writeRequest } from "./request.ts";
import {
  closedLatencies,
  constantTimes,
  openLatencies,
  type Percentiles,
  percentiles,
  type Stalls,
  shares,
} from "./stalls.ts";
import { tools } from "./tools.ts";

const [delayMs, stallMs, everyMs] = [40, 1000, 10_000];
const rate = 100;
/** Eleven stalls, and enough requests for a p99.9. */
const seconds = 105;
/** The first request comes this long before the first stall. */
const leadMs = 2000;

interface Run {
  readonly name: string;
  readonly tool: ToolName;
  /** Clients, workers, users: what can be under way at once, where the tool has such a limit. */
  readonly concurrency: number;
  readonly options?: readonly string[];
  /** Sends when the last was answered; else at the rate. */
  readonly closed?: boolean;
  /** How long the tool takes to its first (measured) request. */
  readonly startMs: number;
}

/** Those of a group run side by side: at these rates they hardly notice each other. */
const groups: readonly (readonly Run[])[] = [
  [
    {
      name: "ours, open loop, constant",
      tool: "ours",
      concurrency: 0,
      options: ["--arrivals", "constant"],
      startMs: 1500,
    },
    {
      name: "ours, open loop, Poisson",
      tool: "ours",
      concurrency: 0,
      options: ["--arrivals", "poisson"],
      startMs: 1500,
    },
    { name: "ours, closed loop, 5 clients", tool: "ours", concurrency: 5, closed: true, startMs: 1500 },
    { name: "ghz, closed loop, 5 workers", tool: "ghz", concurrency: 5, closed: true, startMs: 100 },
  ],
  [
    { name: "ghz --rps 100 (50 workers)", tool: "ghz", concurrency: 50, startMs: 100 },
    { name: "ghz --rps 100 --async", tool: "ghz", concurrency: 50, options: ["--async"], startMs: 100 },
    { name: "k6 constant-arrival-rate, 200 VUs", tool: "k6", concurrency: 200, startMs: 700 },
    { name: "k6 constant-arrival-rate, 10 VUs", tool: "k6", concurrency: 10, startMs: 700 },
    { name: "Locust constant_throughput, 10 users", tool: "locust", concurrency: 10, startMs: 2000 },
  ],
];

interface Outcome {
  readonly run: Run;
  readonly expected: Percentiles;
  readonly report: Report;
}

machine();
const programs = await tools();
const folder = mkdtempSync(join(tmpdir(), "bench-truth-"));
const requests = {
  "v2-grpc": writeRequest(folder, "tiny", "v2-grpc"),
  "v2-rest": writeRequest(folder, "tiny", "v2-rest"),
};
try {
  const outcomes: Outcome[] = [];
  for (const group of groups) {
    console.error(`${group.map(({ name }) => name).join("; ")}: ${seconds} s`);
    const step = Math.floor(everyMs / group.length);
    outcomes.push(...(await Promise.all(group.map((run, i) => measure(run, i * step)))));
  }
  console.log(`${machine()}\n\n${table(outcomes)}`);
  for (const { text } of checks(outcomes)) console.log(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Each with a server of its own, whose stalls begin at other times than those of the others' servers. */
async function measure(run: Run, offsetMs: number): Promise<Outcome> {
  const { tool, concurrency, options, closed, startMs } = run;
  const stalls = { delayMs, stallMs, everyMs, offsetMs };
  const server = await startNullServer(programs.nullserver, [
    ...["-delay", `${delayMs}ms`, "-stall", `${stallMs}ms`, "-every", `${everyMs}ms`, "-offset", `${offsetMs}ms`],
  ]);
  try {
    const protocol = tool === "ours" || tool === "ghz" ? "v2-grpc" : "v2-rest";
    const { command, args, env, report } = loaders[tool](
      {
        request: requests[protocol],
        port: protocol === "v2-grpc" ? server.grpc : server.rest,
        concurrency,
        seconds: tool === "ours" ? seconds + 1 : seconds, // of which ours leaves one out as its warm-up
        rate: closed ? undefined : rate,
        options,
      },
      programs,
    );
    const first = everyMs - leadMs - startMs + offsetMs; // within a period
    await sleep((3 * everyMs + first - (Date.now() % everyMs)) % everyMs);
    const start = Date.now() + startMs;
    const output = await pinned(clientCpu, command, args, env).output;
    return { run, expected: expect(run, start, output, stalls), report: report(output) };
  } finally {
    await server.stop();
  }
}

/** From the schedule alone: ours is known to the millisecond, the others' is that of their rate. */
function expect({ tool, concurrency, closed }: Run, start: number, output: string, stalls: Stalls): Percentiles {
  if (tool !== "ours")
    return percentiles(
      closed
        ? closedLatencies(concurrency, start, start + seconds * 1000, stalls)
        : openLatencies(constantTimes(start, rate, seconds), stalls),
    );
  const { startedAt, load } = JSON.parse(output) as Result;
  const from = Date.parse(startedAt);
  if (closed) return percentiles(closedLatencies(concurrency, from, from + seconds * 1000, stalls));
  const due = Array.from(dueTimes(load.requested as Load), (at) => from + at);
  return percentiles(openLatencies(due, stalls));
}

function table(outcomes: readonly Outcome[]): string {
  const names = Object.keys(shares) as (keyof Percentiles)[];
  const ms = (value: number | null) => (value === null ? "-" : value.toFixed(1));
  const rows = outcomes.map(({ run, expected, report }) => [
    run.name,
    ...names.flatMap((name) => [ms(expected[name]), ms(report[name])]),
    String(report.failed),
  ]);
  const titles = ["p50", "p90", "p99", "p99.9"].flatMap((name) => [`${name} true`, "reported"]);
  return grid([["latency in ms", ...titles, "failed or dropped"], ...rows]);
}

/** Ours must be within 2 % of the truth everywhere. */
function checks(outcomes: readonly Outcome[]): { text: string }[] {
  return outcomes
    .filter(({ run }) => run.tool === "ours")
    .map(({ run, expected, report }) => {
      const errors = (Object.keys(shares) as (keyof Percentiles)[]).map((name) =>
        Math.abs((report[name] ?? Number.NaN) / expected[name] - 1),
      );
      const worst = Math.max(...errors);
      return {
        text: `${run.name}: at most ${(worst * 100).toFixed(2)} % off (target: 2 %): ${worst <= 0.02 ? "reached" : "NOT REACHED"}`,
      };
    });
}
