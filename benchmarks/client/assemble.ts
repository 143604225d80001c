import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import type { Result } from "../result.ts";
import type { Thresholds } from "../spec.ts";
import { ownCpus } from "./cpus.ts";
import type { Measurement } from "./merge.ts";
import { nodeName } from "./node.ts";
import { type Facts, judge } from "./verdict.ts";

/** What only the caller of a measurement knows. */
export interface Circumstances {
  readonly key: string;
  readonly plan: Result["plan"];
  readonly about: Result["about"];
  readonly servers: Result["environment"]["servers"];
  readonly thresholds: Thresholds;
  /** What makes the run untrustworthy besides its numbers. */
  readonly seen: readonly string[];
}

/** Puts a measurement, what it ran on, and the verdict on it together. */
export function assemble(measurement: Measurement, { thresholds, seen, servers, ...chosen }: Circumstances): Result {
  const { clients, faults, ...measured } = measurement;
  const facts: Facts = {
    schemaVersion: 2, // the type holds it to that of result.ts, which the bundle does not carry
    ...measured,
    ...chosen,
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

/** The bundle is one file that knows its own name; from source there is no one hash. */
function clientHash(): string {
  const file = process.argv[1] ?? "";
  return file.endsWith(".cjs") ? createHash("sha256").update(readFileSync(file)).digest("hex") : "source";
}
