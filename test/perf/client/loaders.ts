import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeFromCompressedBase64 } from "hdr-histogram-js";
import type { Result } from "../../../benchmarks/result.ts";
import { client } from "../../../local/client.ts";
import type { Request } from "./request.ts";
import type { Tools } from "./tools.ts";

export type ToolName = "ours" | "ghz" | "ghz-no-templates" | "k6" | "locust";

/** What a tool is to do: send one request over and over to a server on the loopback interface. */
export interface Task {
  readonly request: Request;
  readonly port: number;
  /** Requests in flight at once; with a `rate` the most that can be, where the tool has such a limit. */
  readonly concurrency: number;
  /** How long it sends. */
  readonly seconds: number;
  /** Open loop, or what the tool has that comes closest: requests per second. Absent: as fast as it goes. */
  readonly rate?: number;
  /** Further options of the tool. */
  readonly options?: readonly string[];
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Reads the latencies that the tool reports from its standard output. */
  report(output: string): Report;
}

/** Latencies in milliseconds as the tool reports them; null where it does not. */
export interface Report {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly failed: number;
}

export type Loader = (task: Task, tools: Tools) => Command;

const url = ({ request, port }: Task) => `http://127.0.0.1:${port}/v2/models/${request.model}/infer`;
const peers = join(import.meta.dirname, "peers");

/** Our client as its users start it, with everything it records. */
const ours: Loader = (task) => ({
  command: process.execPath,
  args: [
    ...client.args,
    ...["--url", `http://127.0.0.1:${task.port}`, "--protocol", task.request.protocol, "--model", task.request.model],
    ...["--inputs", task.request.inputs, "--input", "data", "--output-tensor", "prob", "--output", "json"],
    ...["--warmup", "1", "--duration", String(task.seconds - 1)],
    ...(task.rate ? ["--rate", String(task.rate)] : ["--clients", String(task.concurrency)]),
    ...(task.options ?? []),
  ],
  env: client.env,
  report(output) {
    // From the histogram, because the result leaves out what has too few samples to be trusted, and the peers do not.
    const { histogram, errors } = JSON.parse(output) as Result;
    const latency = decodeFromCompressedBase64(histogram.latency.hdr);
    const at = (percent: number) => latency.getValueAtPercentile(percent) / 1000;
    return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), failed: errors.total };
  },
});

let reports = 0;

/** With ghz's own defaults, as all calls over one connection. */
const ghz: Loader = (task, tools) => {
  const out = join(tmpdir(), `ghz-${process.pid}-${++reports}.json`);
  return {
    command: tools.ghz,
    args: [
      ...["--insecure", "--proto", join(peers, "v2.proto"), "--call", "inference.GRPCInferenceService.ModelInfer"],
      ...["--binary-file", task.request.body],
      ...["--concurrency", String(task.concurrency), "--duration", `${task.seconds}s`, "--duration-stop", "wait"],
      ...["--format", "json", "--output", out],
      ...(task.rate ? ["--rps", String(task.rate)] : []),
      ...(task.options ?? []),
      `127.0.0.1:${task.port}`,
    ],
    report() {
      const { details } = JSON.parse(readFileSync(out, "utf8")) as { details: { latency: number; status: string }[] };
      rmSync(out);
      const good = details.filter(({ status }) => status === "OK").map(({ latency }) => latency / 1e6);
      good.sort((a, b) => a - b);
      const at = (share: number) => good[Math.ceil(good.length * share) - 1] ?? null;
      return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), failed: details.length - good.length };
    },
  };
};

/** ghz spared from making the variables that its templates could use in every request. */
const ghzNoTemplates: Loader = (task, tools) =>
  ghz(
    { ...task, options: ["--disable-template-functions", "--disable-template-data", ...(task.options ?? [])] },
    tools,
  );

const k6: Loader = (task, tools) => ({
  command: tools.k6,
  args: ["run", "--quiet", "--no-usage-report", ...(task.options ?? []), join(peers, "k6.js")],
  env: {
    URL: url(task),
    BODY: task.request.body,
    VUS: String(task.concurrency),
    SECONDS: String(task.seconds),
    ...(task.rate && { RATE: String(task.rate) }),
  },
  report(output) {
    const values = JSON.parse(output) as Record<string, number>;
    const at = (p: string) => values[`p(${p})`] ?? null;
    return { p50: at("50"), p90: at("90"), p99: at("99"), p999: at("99.9"), failed: values.failed! + values.dropped! };
  },
});

/** FastHttpUser, the faster of its two, in one process. */
const locust: Loader = (task, tools) => ({
  command: "/usr/bin/python3",
  args: [
    ...["-m", "locust", "--headless", "--only-summary", "--loglevel", "ERROR", "--host", "http://127.0.0.1"],
    ...["--locustfile", join(peers, "locustfile.py"), "--run-time", `${task.seconds}s`, "--stop-timeout", "5"],
    ...["--users", String(task.concurrency), "--spawn-rate", String(task.concurrency), ...(task.options ?? [])],
  ],
  env: {
    PYTHONPATH: tools.locust,
    PYTHONDONTWRITEBYTECODE: "1",
    URL: url(task),
    BODY: task.request.body,
    ...(task.rate && { THROUGHPUT: String(task.rate / task.concurrency) }),
  },
  report(output) {
    const line = output.split("\n").find((candidate) => candidate.startsWith('{"count"'))!;
    const values = JSON.parse(line) as Record<string, number>;
    const at = (p: string) => values[p] ?? null;
    return { p50: at("50"), p90: at("90"), p99: at("99"), p999: at("99.9"), failed: values.failed! };
  },
});

export const loaders: Readonly<Record<ToolName, Loader>> = {
  ours,
  ghz,
  "ghz-no-templates": ghzNoTemplates,
  k6,
  locust,
};
