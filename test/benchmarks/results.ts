import type { Result } from "../../benchmarks/result.ts";
import { goodRun } from "./client/facts.ts";

/** What a test wants to be different in a good result. */
export interface Wanted {
  readonly throughput?: number;
  readonly p50?: number;
  readonly p99?: number | null;
  /** Number of the run: when it was measured. */
  readonly at?: number;
  readonly valid?: boolean;
  readonly load?: Partial<Result["load"]["requested"]>;
  readonly environment?: Partial<Result["environment"]>;
  readonly plan?: Result["plan"];
  readonly about?: Result["about"];
  readonly target?: Partial<Result["target"]>;
}

const good = goodRun(100);

/** A result as the client writes it. */
export function resultOf(wanted: Wanted = {}): Result {
  const { throughput = 160, p50 = 18, p99 = 23, at = 0, valid = true } = wanted;
  const startedAt = new Date(Date.UTC(2026, 0, 1) + at * 60_000).toISOString();
  return {
    ...good,
    key: `key-${at}`,
    startedAt,
    endedAt: startedAt,
    load: { ...good.load, requested: { ...good.load.requested, ...wanted.load } as Result["load"]["requested"] },
    throughput: { ...good.throughput, inferencesPerSecond: throughput, requestsPerSecond: throughput },
    latencyMs: { ...good.latencyMs, p50, p99 },
    environment: { ...good.environment, ...wanted.environment },
    target: { ...good.target, ...wanted.target },
    plan: wanted.plan ?? good.plan,
    about: wanted.about ?? { images: { client: "node", server: "server:1" }, rerun: at },
    verdict: { valid, reasons: valid ? [] : ["Three requests failed."], notes: [] },
  };
}
