import type { Result } from "../result.ts";
import type { ServerSet, Target, Thresholds } from "../spec.ts";

/** What the program that reads a Locust run's log is told: the whole experiment as data. */
export interface LocustSpec {
  /** Hash of everything that was chosen; names the Jobs and the result. */
  readonly key: string;
  readonly target: Target;
  readonly users: number;
  readonly durationSeconds: number;
  /** A request without a reply after this long has failed. */
  readonly timeoutSeconds: number;
  readonly seed: number;
  readonly workers: number;
  readonly thresholds: Thresholds;
  readonly servers: ServerSet;
  /** The Job whose pod's log ends with what was measured. */
  readonly job: { readonly namespace: string; readonly name: string };
  /** How long it may take until that Job has ended. */
  readonly patienceSeconds: number;
  readonly result: { readonly namespace: string; readonly configMap: string };
  readonly about: Result["about"];
}

/** Locust's own tables, by the name of the file: what its `--csv` writes. */
export interface LocustTables {
  readonly requests: string;
  readonly failures: string;
  readonly exceptions: string;
}

/** The line `locust {...}` with which the master's log ends. Times of clocks are in seconds, others say their unit. */
export interface LocustLine {
  readonly locust: string;
  readonly python: string;
  readonly kernel: string;
  readonly cpuModel: string;
  readonly node: string;
  readonly begin: number;
  /** When the last request ended. */
  readonly end: number;
  readonly requests: number;
  readonly failures: number;
  readonly totalMs: number;
  readonly minMs: number | null;
  readonly maxMs: number;
  readonly replyBytes: number;
  /** Requests by their response time, which Locust rounds: to whole milliseconds, and to two digits. */
  readonly responseTimes: Readonly<Record<string, number>>;
  readonly requestsPerSecond: Readonly<Record<string, number>>;
  readonly failuresPerSecond: Readonly<Record<string, number>>;
  readonly errors: readonly { readonly error: string; readonly occurrences: number }[];
  readonly clients: readonly {
    readonly name: string;
    readonly node: string;
    readonly cpus: string;
    readonly cpuSeconds: number;
    readonly seconds: number;
    readonly lagP99Ms: number;
    readonly lagMaxMs: number;
    readonly bodyBytes: number;
  }[];
  readonly csv: LocustTables;
}
