import { UserError } from "../../error.ts";
import { Samples } from "../client/samples.ts";
import { type Facts, judge } from "../client/verdict.ts";
import type { Result } from "../result.ts";
import type { LocustLine, LocustSpec } from "./spec.ts";

/** What the locustfile says of an answer that is none of the right ones. */
const WRONG = "wrong answer";

/**
 * The line that the master's log ends with.
 *
 * @throws UserError if it is not there
 */
export function locustLine(log: string): LocustLine {
  const [, json] = [...log.matchAll(/^locust (\{.*\})$/gm)].at(-1) ?? [];
  if (json) return JSON.parse(json);
  const last = log.trim().split("\n").slice(-3).join(" | ");
  throw new UserError(
    `Nothing was measured: Locust's log does not end with a result. It ends with: ${last || "nothing"}`,
  );
}

/** A run of Locust as a benchmark result. */
export function measure(
  spec: LocustSpec,
  line: LocustLine,
  servers: Result["environment"]["servers"],
  seen: readonly string[],
): Result {
  const errors = errorsOf(line);
  const wrong = errors.byKind[WRONG] ?? 0;
  const seconds = measuredSeconds(spec, line);
  const answered = line.requests - line.failures;
  const checked = answered + wrong;
  const latency = latencyOf(line);
  const none = new Samples();
  const series = seriesOf(spec, line);
  const facts: Facts = {
    schemaVersion: 2, // the type holds it to that of result.ts, which the bundle does not carry
    key: spec.key,
    startedAt: instant(line.begin),
    endedAt: instant(line.begin + seconds),
    load: {
      requested: {
        mode: "closed",
        warmupSeconds: 0,
        seed: spec.seed,
        batch: 1,
        timeoutSeconds: spec.timeoutSeconds,
        clients: spec.users,
        durationSeconds: spec.durationSeconds,
      },
      parts: Math.max(1, line.clients.length),
      schedule: null,
      achieved: {
        durationSeconds: seconds,
        sentPerSecond: line.requests / seconds,
        requestsPerSecond: line.requests / seconds,
        concurrency: line.totalMs / 1000 / seconds,
      },
    },
    throughput: {
      inferencesPerSecond: answered / seconds,
      requestsPerSecond: answered / seconds,
      drift: driftOf(series),
    },
    latencyMs: latency.timing,
    serviceTimeMs: latency.timing,
    slipMs: none.timing(),
    counts: {
      sent: line.requests,
      answered,
      failed: line.failures,
      abandoned: 0,
      unsent: 0,
      inferences: answered,
      warmup: 0,
    },
    errors,
    correctness: { checked, wrong },
    bytesOnTheWire: bytesOf(line),
    segments: [
      {
        startSeconds: 0,
        durationSeconds: seconds,
        requestedRate: null,
        sent: line.requests,
        answered,
        failed: line.failures,
        sentPerSecond: line.requests / seconds,
        latencyMs: latency.timing,
        slipMs: none.timing(),
      },
    ],
    events: [],
    series,
    mlperf: null,
    servers: [],
    histogram: { latency: latency.distribution, serviceTime: latency.distribution, slip: none.toJSON() },
    environment: environmentOf(line, servers),
    plan: { hash: spec.servers.planHash, instances: spec.servers.count, clientCpus: null },
    target: spec.target,
    about: { ...spec.about, locust: line.locust, python: line.python },
  };
  const lost = spec.workers - line.clients.length;
  const verdict = judge(facts, spec.thresholds, [
    ...seen,
    ...(lost > 0 ? [`${lost} of ${spec.workers} Locust workers were lost.`] : []),
  ]);
  return { ...facts, verdict: { ...verdict, notes: [...verdict.notes, ...notesOf(line)] } };
}

const instant = (seconds: number): string => new Date(seconds * 1000).toISOString();

function notesOf({ failures }: LocustLine): string[] {
  return [
    "Measured by Locust, which rounds response times to whole milliseconds and to two digits: its percentiles are not those of the load client.",
    "Locust does not say how late requests were sent, nor how many bytes their headers have.",
    ...(failures > 0 ? ["Locust's latencies include those of failed requests."] : []),
  ];
}

/**
 * From when all users were there until the end of the run. Locust only says when the last request ended; it ends a run while
 * requests are under way.
 */
function measuredSeconds({ durationSeconds }: LocustSpec, { begin, end, maxMs }: LocustLine): number {
  const seen = end - begin;
  return seen + 1 + maxMs / 1000 >= durationSeconds ? Math.max(seen, durationSeconds) : seen;
}

function latencyOf(line: LocustLine): { timing: Result["latencyMs"]; distribution: Result["histogram"]["latency"] } {
  const samples = new Samples();
  for (const [ms, count] of Object.entries(line.responseTimes))
    for (let i = 0; i < count; i++) samples.record(Number(ms));
  if (samples.count === 0) return { timing: samples.timing(), distribution: samples.toJSON() };
  // These three Locust keeps as they are.
  const exact = { mean: line.totalMs / line.requests, max: line.maxMs };
  return {
    timing: { ...samples.timing(), ...exact },
    distribution: {
      ...samples.toJSON(),
      minMicros: Math.round((line.minMs ?? 0) * 1000),
      maxMicros: Math.round(line.maxMs * 1000),
      sumMicros: Math.round(line.totalMs * 1000),
    },
  };
}

/** Locust's errors are texts: the type of the exception around what it says. */
function errorsOf({ errors, failures }: LocustLine): Result["errors"] {
  const byKind: Record<string, number> = {};
  const examples: Record<string, string> = {};
  for (const { error, occurrences } of errors) {
    const kind = (/^\w+\((['"])(.*)\1\)$/s.exec(error)?.[2] ?? error).slice(0, 200);
    byKind[kind] = (byKind[kind] ?? 0) + occurrences;
    examples[kind] ??= error.slice(0, 300);
  }
  return { total: failures, byKind, examples };
}

function bytesOf({ clients, replyBytes, requests }: LocustLine): Result["bytesOnTheWire"] {
  const request = clients.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0) / Math.max(1, clients.length);
  const reply = requests ? replyBytes / requests : 0;
  return { perRequest: request, perReply: reply, bodyPerRequest: request, bodyPerReply: reply };
}

/** Whole seconds of the clock; the first and the last are cut off by the run's ends. */
function seriesOf({ users }: LocustSpec, line: LocustLine): Result["series"] {
  const seconds = Object.keys(line.requestsPerSecond).map(Number);
  const [from, to] = [Math.ceil(line.begin), Math.floor(line.end)];
  return seconds
    .filter((second) => second >= from && second < to)
    .sort((a, b) => a - b)
    .map((second) => {
      const failed = line.failuresPerSecond[second] ?? 0;
      return {
        startSeconds: second - line.begin,
        durationSeconds: 1,
        answered: Math.max(0, (line.requestsPerSecond[second] ?? 0) - failed),
        failed,
        meanLatencyMs: null,
        inFlight: users,
      };
    });
}

function driftOf(series: Result["series"]): number | null {
  const half = Math.floor(series.length / 2);
  const sum = (part: Result["series"]) => part.reduce((total, { answered }) => total + answered, 0);
  const [first, second] = [sum(series.slice(0, half)), sum(series.slice(series.length - half))];
  return half === 0 || first === 0 ? null : second / first - 1;
}

function environmentOf(line: LocustLine, servers: Result["environment"]["servers"]): Result["environment"] {
  const clients = line.clients.map((client) => ({
    name: client.name,
    node: client.node,
    cpus: client.cpus,
    cpuSeconds: client.cpuSeconds,
    busyShare: client.seconds > 0 ? client.cpuSeconds / client.seconds : 0,
    lagMs: { p99: Math.max(0, client.lagP99Ms), max: Math.max(0, client.lagMaxMs) },
    throttledShare: null,
    clockOffsetMs: 0,
  }));
  if (clients.length === 0) throw new UserError("Nothing was measured: no Locust worker said how it fared.");
  return {
    kernel: line.kernel,
    cpuModel: line.cpuModel,
    node: clients[0]!.node,
    clientCpus: clients[0]!.cpus,
    clientCpuSeconds: clients.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    clients,
    versions: { node: `none: Locust ${line.locust} on Python ${line.python}`, client: "locustfile" },
    servers,
  };
}
