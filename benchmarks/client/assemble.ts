import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import type { Result } from "../result.ts";
import { type Look, type ScalingFacts, scalingOf, timelineOf } from "../scaling.ts";
import type { Thresholds } from "../spec.ts";
import { ownCpus } from "./cpus.ts";
import type { Measurement } from "./merge.ts";
import { nodeName } from "./node.ts";
import { planOf } from "./pacer.ts";
import { type Facts, judge } from "./verdict.ts";

/** What only the caller of a measurement knows. */
export interface Circumstances {
  readonly key: string;
  readonly plan: Result["plan"];
  readonly about: Result["about"];
  readonly servers: Result["environment"]["servers"];
  readonly thresholds: Thresholds;
  /** Where an autoscaler decides how many servers there are: what it may do, and what it was seen to do. */
  readonly scaling?: Pick<ScalingFacts, "min" | "max" | "slo" | "coresPerServer"> & {
    /** By the clock of the measurement, milliseconds since the epoch. */
    readonly looks: readonly Look[];
  };
  /** What makes the run untrustworthy besides its numbers. */
  readonly seen: readonly string[];
}

/** Puts a measurement, what it ran on, and the verdict on it together. */
export function assemble(
  measurement: Measurement,
  { thresholds, seen, servers, scaling, ...chosen }: Circumstances,
): Result {
  const { clients, faults, windows, ...measured } = measurement;
  const facts: Facts = {
    schemaVersion: 2, // the type holds it to that of result.ts, which the bundle does not carry
    ...measured,
    ...chosen,
    ...(scaling && { scaling: scalingIn(measurement, scaling) }),
    environment: {
      kernel: release(),
      cpuModel: cpus()[0]?.model ?? "unknown",
      node: nodeName(),
      clientCpus: ownCpus(),
      clientCpuSeconds: clients.reduce((seconds, client) => seconds + client.cpuSeconds, 0),
      clients,
      versions: { node: process.versions.node, client: clientHash() },
      servers,
    },
  };
  return { ...facts, verdict: judge(facts, thresholds, [...faults, ...seen]) };
}

function scalingIn(
  { load, events, windows, startedAt, endedAt }: Measurement,
  { looks, ...scaling }: NonNullable<Circumstances["scaling"]>,
): Result["scaling"] {
  const changes = events.map(({ atSeconds, rate }) => ({ at: atSeconds * 1000, rate }));
  return scalingOf({
    ...scaling,
    windows,
    durationSeconds: load.achieved.durationSeconds,
    pieces: (planOf(load.requested, changes)?.pieces ?? []).map((piece) => ({
      ...piece,
      from: piece.from / 1000,
      until: piece.until / 1000,
    })),
    timeline: timelineOf(looks, Date.parse(startedAt), Date.parse(endedAt)),
  });
}

/** The bundle is one file that knows its own name; from source there is no one hash. */
function clientHash(): string {
  const file = process.argv[1] ?? "";
  return file.endsWith(".cjs") ? createHash("sha256").update(readFileSync(file)).digest("hex") : "source";
}
