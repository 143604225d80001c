import type { Distribution, Result, Segment, Series } from "../result.ts";
import type { Window } from "../scaling.ts";
import type { Load, Target } from "../spec.ts";
import { completeLoad, planOf } from "./pacer.ts";
import { type Mlperf, mlperfRules, overridden } from "./pacers/mlperf.ts";
import { type Change, describe } from "./pacers/schedule.ts";
import type { Bin, Part, PartSegment, RateChange } from "./part.ts";
import { percentiles, Samples, samplesNeeded } from "./samples.ts";
import { widen } from "./series.ts";

/** What all parts of a run measured together: a result without its verdict and without what only the caller knows. */
export type Measurement = Omit<
  Result,
  "schemaVersion" | "key" | "verdict" | "environment" | "plan" | "about" | "scaling"
> & {
  readonly clients: Result["environment"]["clients"];
  /** Requests by the window of the SLO in which they were due; none without one. */
  readonly windows: readonly Window[];
  /** What parts said that makes the run untrustworthy. */
  readonly faults: readonly string[];
};

export interface Merging {
  readonly load: Load;
  readonly target: Target;
  /** The changes of the rate while it ran. */
  readonly events: readonly RateChange[];
}

/** Starts of equal intervals may differ by this much between clocks. */
const sameMs = 1;

/**
 * Adds the parts of one run up: histograms and counts exactly, the throughput over the interval from the first start to the
 * last end. A pure function.
 *
 * @param parts at least one
 */
export function merge(parts: readonly Part[], { load, target, events }: Merging): Measurement {
  const requested = completeLoad(load, target.protocol);
  const alive = parts.some(({ counts }) => counts.sent + counts.unsent + counts.warmup > 0)
    ? parts.filter(({ counts, fault }) => !fault || counts.sent > 0)
    : parts;
  const from = Math.min(...alive.map((part) => part.from));
  const endedAt = Math.max(...alive.map((part) => part.endedAt));
  const seconds = Math.max(endedAt - from, 0) / 1000;
  const rate = (requests: number) => (seconds > 0 ? requests / seconds : 0);
  const total = (of: (part: Part) => number) => parts.reduce((sum, part) => sum + of(part), 0);
  const all = (of: (segment: PartSegment) => Distribution) =>
    Samples.merge(parts.flatMap(({ segments }) => segments.map(of)));
  const latency = all((segment) => segment.latency);
  const serviceTime = all((segment) => segment.serviceTime);
  const slip = all((segment) => segment.slip);
  const series = mergeSeries(alive, seconds);
  const inTime = sum(series, "answered");
  const changes = changesOf(load, events, from);
  const counts = mergeCounts(parts);
  const requests = total(({ wire }) => wire.requests);
  const each = (bytes: number) => (requests ? bytes / requests : 0);
  return {
    startedAt: instant(from),
    endedAt: instant(endedAt),
    load: {
      requested,
      parts: parts.length,
      schedule: scheduleOf(load, changes),
      achieved: {
        durationSeconds: seconds,
        sentPerSecond: rate(total(({ sentInTime }) => sentInTime)),
        requestsPerSecond: rate(inTime + sum(series, "failed")),
        concurrency: rate(total(({ inFlightMs }) => inFlightMs) / 1000),
      },
    },
    throughput: {
      inferencesPerSecond: rate(inTime * requested.batch),
      requestsPerSecond: rate(inTime),
      drift: drift(series),
    },
    latencyMs: latency.timing(),
    serviceTimeMs: serviceTime.timing(),
    slipMs: slip.timing(),
    counts,
    errors: mergeErrors(parts),
    correctness: {
      checked: total(({ correctness }) => correctness.checked),
      wrong: total(({ correctness }) => correctness.wrong),
    },
    bytesOnTheWire: {
      perRequest: each(total(({ wire }) => wire.sent)),
      perReply: each(total(({ wire }) => wire.received)),
      bodyPerRequest: each(total(({ wire }) => wire.bodySent)),
      bodyPerReply: each(total(({ wire }) => wire.bodyReceived)),
    },
    segments: mergeSegments(alive),
    events: changes.map(({ at, rate: to }) => ({ atSeconds: at / 1000, rate: to })),
    series,
    mlperf: requested.mode === "mlperf" ? mlperfOf(requested, parts, latency, counts.answered, inTime, seconds) : null,
    servers: mergeServers(parts),
    histogram: { latency: latency.toJSON(), serviceTime: serviceTime.toJSON(), slip: slip.toJSON() },
    target,
    clients: parts.map(({ client }) => client),
    windows: mergeWindows(alive),
    faults: parts.flatMap(({ fault }) => fault ?? []),
  };
}

const instant = (epochMs: number): string => new Date(epochMs).toISOString();
const seconds6 = (ms: number): number => Math.round(ms * 1000) / 1e6;

const sum = <K extends string>(items: readonly Readonly<Record<K, number>>[], key: K): number =>
  items.reduce((total, item) => total + item[key], 0);

/** Changes of the rate in times of the schedule: whole microseconds from the start of the measured interval. */
function changesOf(load: Load, events: readonly RateChange[], from: number): Change[] {
  if (!planOf(load)) return [];
  return events
    .map(({ at, rate }) => ({ at: Math.round((at - from) * 1000) / 1000, rate }))
    .sort((a, b) => a.at - b.at);
}

function scheduleOf(load: Load, changes: readonly Change[]): Result["load"]["schedule"] {
  const plan = planOf(load, changes);
  if (!plan) return null;
  const { requests, hash } = describe(plan);
  return { requests, requestsPerSecond: (requests * 1000) / plan.pieces.at(-1)!.until, hash };
}

function mergeCounts(parts: readonly Part[]): Result["counts"] {
  const counts = { sent: 0, answered: 0, failed: 0, abandoned: 0, unsent: 0, inferences: 0, warmup: 0 };
  for (const part of parts)
    for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += part.counts[key];
  return counts;
}

function mergeErrors(parts: readonly Part[]): Result["errors"] {
  const byKind: Record<string, number> = {};
  const examples: Record<string, string> = {};
  for (const { errors } of parts) {
    for (const [kind, count] of Object.entries(errors.byKind)) byKind[kind] = (byKind[kind] ?? 0) + count;
    for (const [kind, example] of Object.entries(errors.examples)) examples[kind] ??= example;
  }
  return { total: parts.reduce((total, { errors }) => total + errors.total, 0), byKind, examples };
}

function mergeServers(parts: readonly Part[]): Result["servers"] {
  const servers = new Map<string, { address: string; answered: number; failed: number }>();
  for (const { address, answered, failed } of parts.flatMap((part) => part.servers)) {
    const known = servers.get(address) ?? { address, answered: 0, failed: 0 };
    servers.set(address, { address, answered: known.answered + answered, failed: known.failed + failed });
  }
  return [...servers.values()];
}

/** Segments that begin at the same time of the schedule are one. */
function mergeSegments(parts: readonly Part[]): Segment[] {
  const groups: { start: number; segments: PartSegment[] }[] = [];
  for (const part of parts)
    for (const segment of part.segments) {
      const start = segment.from - part.from;
      const group = groups.find((candidate) => Math.abs(candidate.start - start) < sameMs);
      if (group) group.segments.push(segment);
      else groups.push({ start, segments: [segment] });
    }
  return groups
    .sort((a, b) => a.start - b.start)
    .map(({ start, segments }) => {
      const length = Math.max(...segments.map(({ from, until }) => until - from), 0);
      const sent = sum(segments, "sent");
      return {
        startSeconds: seconds6(Math.max(start, 0)),
        durationSeconds: seconds6(length),
        requestedRate: segments.reduce<number | null>(
          (rate, segment) => (segment.rate === null ? rate : (rate ?? 0) + segment.rate),
          null,
        ),
        sent,
        answered: sum(segments, "answered"),
        failed: sum(segments, "failed"),
        sentPerSecond: length > 0 ? (sent * 1000) / length : 0,
        latencyMs: Samples.merge(segments.map(({ latency }) => latency)).timing(),
        slipMs: Samples.merge(segments.map(({ slip }) => slip)).timing(),
      };
    });
}

function mergeSeries(parts: readonly Part[], seconds: number): Series {
  const binMs = Math.max(...parts.map((part) => part.binMs));
  const merged: { -readonly [K in keyof Bin]: number }[] = [];
  for (const part of parts) {
    let bins = part.series;
    for (let width = part.binMs; width < binMs; width *= 2) bins = widen(bins);
    bins.forEach((bin, i) => {
      merged[i] ??= { answered: 0, failed: 0, latencyMicros: 0, inFlight: 0 };
      for (const key of Object.keys(bin) as (keyof Bin)[]) merged[i]![key] += bin[key];
    });
  }
  return merged.map(({ answered, failed, latencyMicros, inFlight }, i) => ({
    startSeconds: seconds6(i * binMs),
    durationSeconds: seconds6(Math.max(Math.min(binMs, seconds * 1000 - i * binMs), 0)),
    answered,
    failed,
    meanLatencyMs: answered ? latencyMicros / answered / 1000 : null,
    inFlight,
  }));
}

function mergeWindows(parts: readonly Part[]): Window[] {
  const lists = parts.map(({ windows = [] }) => windows);
  return Array.from({ length: Math.max(0, ...lists.map(({ length }) => length)) }, (_, i) => {
    const parts = lists.flatMap((windows) => windows[i] ?? []);
    return { due: sum(parts, "due"), kept: sum(parts, "kept") };
  });
}

/** Rate of the second half of the series relative to the first, less one; null if the first half has no answers. */
export function drift(series: Series): number | null {
  const half = Math.floor(series.length / 2);
  const rate = (part: Series) => sum(part, "answered") / sum(part, "durationSeconds");
  const first = rate(series.slice(0, half));
  return first > 0 ? rate(series.slice(series.length - half)) / first - 1 : null;
}

function mlperfOf(
  load: Mlperf,
  parts: readonly Part[],
  latency: Samples,
  answered: number,
  inTime: number,
  seconds: number,
): Result["mlperf"] {
  const { scenario, batch } = load;
  const { metric, unit, percentile } = mlperfRules[scenario];
  const own = parts.flatMap(({ queries }) => queries ?? []);
  const queries = own.length ? Samples.merge(own) : latency;
  const enough = percentile === null || queries.count >= samplesNeeded(percentile);
  const value = (): number => {
    if (scenario === "Server") return seconds > 0 ? inTime / seconds : 0;
    if (scenario === "Offline") return seconds > 0 ? (answered * batch) / seconds : 0;
    return queries.percentileMs(percentiles[percentile!]);
  };
  return {
    scenario,
    metric,
    unit,
    value: enough && queries.count > 0 ? value() : null,
    // All parts of an Offline run carry the same single query.
    queries: scenario === "Offline" ? Math.min(queries.count, 1) : queries.count,
    overridden: overridden(load),
  };
}
