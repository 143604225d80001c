import type { Result, Timing } from "../result.ts";
import type { Tick } from "./recorder.ts";

/** The result for people. */
export function table(result: Result): string {
  const { throughput, counts, errors, correctness, load, verdict, bytesOnTheWire } = result;
  const { clients, warmupSeconds } = load.requested;
  const rows: [string, string][] = [
    ["load", `${clients} client${clients === 1 ? "" : "s"} in a closed loop, warm-up ${warmupSeconds} s`],
    ["measured", `${load.achieved.durationSeconds.toFixed(1)} s, ${counts.sent} requests, ${counts.answered} answered`],
    ["throughput", `${throughput.inferencesPerSecond.toFixed(1)} inferences/s`],
    ["latency", timing(result.latencyMs)],
    ["service time", timing(result.serviceTimeMs)],
    ["errors", errors.total ? kinds(errors.byKind) : "none"],
    ["answers", `${correctness.checked - correctness.wrong} of ${correctness.checked} right`],
    ["on the wire", `${bytes(bytesOnTheWire.perRequest)} per request, ${bytes(bytesOnTheWire.perReply)} per reply`],
    ...result.servers.map(({ address, answered }): [string, string] => ["server", `${address} answered ${answered}`]),
    ["verdict", verdict.valid ? "VALID" : "INVALID"],
    ...verdict.reasons.map((reason): [string, string] => ["because", reason]),
    ...verdict.notes.map((note): [string, string] => ["note", note]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}`).join("\n");
}

/** One line about the last second. */
export function tickLine({ seconds, requestsPerSecond, p50Ms, p99Ms, failed }: Tick): string {
  const phase = seconds < 0 ? `warm-up ${(-seconds).toFixed(0)} s left` : `${seconds.toFixed(0)} s`;
  const rate = `${requestsPerSecond.toFixed(0)} requests/s`;
  return `${phase}: ${rate}, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}${failed ? `, ${failed} failed` : ""}`;
}

const ms = (value: number): string => `${Number(value.toPrecision(3))} ms`;
const bytes = (value: number): string => (value < 10_000 ? `${value.toFixed(0)} B` : `${(value / 1000).toFixed(1)} kB`);
const kinds = (byKind: Record<string, number>): string =>
  Object.entries(byKind)
    .map(([kind, count]) => `${count} x ${kind}`)
    .join(", ");

function timing({ mean, p50, p90, p99, p999, max }: Timing): string {
  const parts: [string, number | null][] = [
    ["mean", mean],
    ["p50", p50],
    ["p90", p90],
    ["p99", p99],
    ["p99.9", p999],
    ["max", max],
  ];
  return parts
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${ms(value!)}`)
    .join(", ");
}
