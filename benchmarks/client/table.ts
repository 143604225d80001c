import type { Result, Segment, Timing } from "../result.ts";
import { loadInWords } from "./output/load.ts";
import { scalingInWords } from "./output/scaling.ts";
import type { Tick } from "./recorder.ts";

/** The result for people. */
export function table(result: Result): string {
  const { throughput, counts, errors, correctness, load, verdict, bytesOnTheWire: wire, mlperf } = result;
  const { durationSeconds, concurrency } = load.achieved;
  const unanswered: [number, string][] = [
    [counts.failed, "failed"],
    [counts.abandoned, "abandoned"],
    [counts.unsent, "never sent"],
  ];
  const outcomes = unanswered.filter(([count]) => count > 0).map(([count, what]) => `, ${count} ${what}`);
  const rows: Row[] = [
    ["load", loadInWords(load.requested)],
    [
      "measured",
      `${durationSeconds.toFixed(1)} s, ${counts.sent} requests, ${counts.answered} answered${outcomes.join("")}`,
    ],
    ...rateRow(result),
    [
      "throughput",
      `${perSecond(throughput.inferencesPerSecond)} inferences/s, ${concurrency.toFixed(1)} requests in flight`,
    ],
    ["latency", timing(result.latencyMs)],
    ["service time", timing(result.serviceTimeMs)],
    ["slip", timing(result.slipMs)],
    ...(mlperf ? [mlperfRow(mlperf)] : []),
    ...(result.scaling ? scalingInWords(result.scaling).map((line, i): Row => [i === 0 ? "scaling" : "", line]) : []),
    ["errors", errors.total ? kinds(errors.byKind) : "none"],
    ["answers", `${correctness.checked - correctness.wrong} of ${correctness.checked} right`],
    [
      "on the wire",
      `${bytes(wire.perRequest)} per request (message ${bytes(wire.bodyPerRequest)}), ${bytes(wire.perReply)} per reply (message ${bytes(wire.bodyPerReply)})`,
    ],
    ...result.servers.map(
      ({ address, answered, failed }): Row => [
        "server",
        `${address} answered ${answered}${failed ? `, failed ${failed}` : ""}`,
      ],
    ),
    ...clientRows(result),
    ...(result.segments.length > 1 ? result.segments.map(segmentRow) : []),
    ["verdict", verdict.valid ? "VALID" : "INVALID"],
    ...verdict.reasons.map((reason): Row => ["because", reason]),
    ...verdict.notes.map((note): Row => ["note", note]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}`).join("\n");
}

/** One line about the last second. */
export function tickLine(tick: Tick): string {
  const { seconds, requestsPerSecond, requestedRate, p50Ms, p99Ms, failed, inFlight } = tick;
  const phase = seconds < 0 ? `warm-up ${(-seconds).toFixed(0)} s left` : `${seconds.toFixed(0)} s`;
  const asked = requestedRate === null ? "" : ` of ${requestedRate.toFixed(0)}`;
  const counts = `${inFlight} in flight${failed ? `, ${failed} failed` : ""}`;
  return `${phase}: ${requestsPerSecond.toFixed(0)}${asked} requests/s, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}, ${counts}`;
}

type Row = [name: string, value: string];

function rateRow({ load: { schedule, achieved } }: Result): Row[] {
  if (!schedule) return [];
  const asked = `${schedule.requests} requests asked for, ${perSecond(schedule.requestsPerSecond)}/s`;
  return [
    ["rate", `${perSecond(achieved.sentPerSecond)} requests/s sent; ${asked} (schedule ${schedule.hash.slice(0, 12)})`],
  ];
}

function mlperfRow({ scenario, metric, value, unit, queries, overridden }: NonNullable<Result["mlperf"]>): Row {
  const figure = value === null ? "not enough queries for it" : `${Number(value.toPrecision(4))} ${unit}`;
  const rules = overridden.length ? "; MLPerf's own rules overridden" : "";
  return ["MLPerf", `${scenario}, ${metric}: ${figure} (${queries} quer${queries === 1 ? "y" : "ies"}${rules})`];
}

function clientRows({ environment: { clients, clientCpuSeconds }, counts }: Result): Row[] {
  const busiest = clients.reduce((most, client) => (client.busyShare > most.busyShare ? client : most));
  const loops = clients.length > 1 ? `the busiest of ${clients.length} event loops` : "its event loop";
  const each = counts.sent ? `, ${((clientCpuSeconds * 1e6) / counts.sent).toFixed(0)} us of CPU per request` : "";
  const lag = Math.max(...clients.map((client) => client.lagMs.p99));
  return [
    ["client", `${loops} had work ${(busiest.busyShare * 100).toFixed(0)} % of the time, lag p99 ${ms(lag)}${each}`],
  ];
}

function segmentRow(
  { startSeconds, durationSeconds, requestedRate, sentPerSecond, ...segment }: Segment,
  i: number,
): Row {
  const end = startSeconds + durationSeconds;
  const asked = requestedRate === null ? "" : ` of ${perSecond(requestedRate)}`;
  const { answered, failed, latencyMs, slipMs } = segment;
  const slip = slipMs.p99 === null ? "" : `; slip p99 ${ms(slipMs.p99)}`;
  return [
    i === 0 ? "segments" : "",
    `${startSeconds.toFixed(1)}-${end.toFixed(1)} s: ${perSecond(sentPerSecond)}${asked} requests/s, ${answered} answered${failed ? `, ${failed} failed` : ""}; ${timing(latencyMs)}${slip}`,
  ];
}

const perSecond = (value: number): string => value.toFixed(1);
const ms = (value: number): string => `${Number(value.toPrecision(3))} ms`;
const bytes = (value: number): string => (value < 10_000 ? `${value.toFixed(0)} B` : `${(value / 1000).toFixed(1)} kB`);
const kinds = (byKind: Record<string, number>): string =>
  Object.entries(byKind)
    .map(([kind, count]) => `${count} x ${kind}`)
    .join(", ");

function timing({ mean, p50, p90, p95, p99, p999, max }: Timing): string {
  const parts: [string, number | null][] = [
    ["mean", mean],
    ["p50", p50],
    ["p90", p90],
    ["p95", p95],
    ["p99", p99],
    ["p99.9", p999],
    ["max", max],
  ];
  const known = parts.filter(([, value]) => value !== null).map(([name, value]) => `${name} ${ms(value!)}`);
  return known.join(", ") || "no samples";
}
