import type { Result, Segment } from "../result.ts";
import { Samples } from "./samples.ts";

/** One request that has ended. Times are those of `performance.now()`, in milliseconds. */
export interface Ended {
  /** When it should have been sent. */
  readonly dueAt: number;
  readonly sentAt: number;
  readonly at: number;
  /** Index of the server's address. */
  readonly server: number;
  /** Why it failed; absent if it was answered. */
  readonly failure?: { readonly kind: string; readonly detail: string };
  /** Whether the answer is among the right ones. */
  readonly right?: boolean;
}

/** What happened since the last look, for showing it live. */
export interface Tick {
  /** Since the start of the measured interval; negative in the warm-up. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Failed requests since the start. */
  readonly failed: number;
}

/** What the recorder contributes to a result. */
export type Recorded = Pick<
  Result,
  | "throughput"
  | "latencyMs"
  | "serviceTimeMs"
  | "slipMs"
  | "counts"
  | "errors"
  | "correctness"
  | "segments"
  | "servers"
  | "histogram"
> & { achieved: Result["load"]["achieved"] };

const maxSegments = 60;

/**
 * Takes down every request of the measured interval, in constant memory.
 *
 * Latencies and counts are those of the requests that were due in the interval, to their very end, so that a slow last
 * request cannot escape. Throughput and segments count what ended within the interval, whenever it was due, so that they
 * depend neither on the ramp at its start nor on the wait for the last reply.
 */
export class Recorder {
  readonly #from: number;
  readonly #until: number;
  readonly #latency = new Samples();
  readonly #service = new Samples();
  readonly #slip = new Samples();
  readonly #live = new Samples();
  #liveFrom: number;
  #inFlightMs = 0;
  #warmup = 0;
  #failed = 0;
  #wrong = 0;
  readonly #kinds = new Map<string, { count: number; example: string }>();
  readonly #servers: { answered: number; failed: number }[];
  readonly #segments: { answered: number; failed: number; latencyMs: number }[];
  readonly #segmentMs: number;

  /** Records what is due from `from` until `until`; `servers` is the number of addresses. */
  constructor(from: number, until: number, servers: number) {
    this.#from = from;
    this.#until = until;
    this.#liveFrom = performance.now();
    this.#servers = Array.from({ length: servers }, () => ({ answered: 0, failed: 0 }));
    const pairs = Math.min(Math.max(Math.round((until - from) / 2000), 1), maxSegments / 2);
    this.#segments = Array.from({ length: 2 * pairs }, () => ({ answered: 0, failed: 0, latencyMs: 0 }));
    this.#segmentMs = (until - from) / this.#segments.length;
  }

  record(ended: Ended): void {
    const latencyMs = ended.at - ended.dueAt;
    if (!ended.failure) this.#live.record(latencyMs);
    this.#inFlightMs += Math.max(Math.min(ended.at, this.#until) - Math.max(ended.dueAt, this.#from), 0);
    if (ended.at >= this.#from && ended.at < this.#until) {
      const segment = this.#segments[Math.floor((ended.at - this.#from) / this.#segmentMs)]!;
      if (ended.failure) segment.failed++;
      else {
        segment.answered++;
        segment.latencyMs += latencyMs;
      }
    }
    if (ended.dueAt < this.#from) {
      this.#warmup++;
      return;
    }
    const server = this.#servers[ended.server]!;
    if (ended.failure) {
      this.#failed++;
      server.failed++;
      const { kind, detail } = ended.failure;
      const known = this.#kinds.get(kind);
      if (known) known.count++;
      else this.#kinds.set(kind, { count: 1, example: detail });
      return;
    }
    server.answered++;
    if (!ended.right) this.#wrong++;
    this.#latency.record(latencyMs);
    this.#service.record(ended.at - ended.sentAt);
    this.#slip.record(ended.sentAt - ended.dueAt);
  }

  tick(now: number): Tick {
    const tick = {
      seconds: (now - this.#from) / 1000,
      requestsPerSecond: (this.#live.count * 1000) / (now - this.#liveFrom),
      p50Ms: this.#live.percentileMs(50_000),
      p99Ms: this.#live.percentileMs(99_000),
      failed: this.#failed,
    };
    this.#live.reset();
    this.#liveFrom = now;
    return tick;
  }

  /**
   * @param endedAt when the interval really ended: earlier than planned if the run was interrupted
   * @param abandoned measured requests that had neither ended nor timed out by then
   */
  finish(endedAt: number, abandoned: number, addresses: readonly string[]): Recorded {
    const until = Math.max(Math.min(endedAt, this.#until), this.#from);
    const seconds = (until - this.#from) / 1000;
    const answered = this.#latency.count;
    const segments = this.#finishSegments(until);
    const inTime = sum(segments, "answered");
    const rate = (requests: number) => (seconds > 0 ? requests / seconds : 0);
    return {
      achieved: {
        durationSeconds: seconds,
        requestsPerSecond: rate(inTime + sum(segments, "failed")),
        concurrency: rate(this.#inFlightMs / 1000),
      },
      throughput: { inferencesPerSecond: rate(inTime), requestsPerSecond: rate(inTime), drift: drift(segments) },
      latencyMs: this.#latency.timing(),
      serviceTimeMs: this.#service.timing(),
      slipMs: this.#slip.timing(),
      counts: {
        sent: answered + this.#failed + abandoned,
        answered,
        failed: this.#failed,
        abandoned,
        inferences: answered,
        warmup: this.#warmup,
      },
      errors: {
        total: this.#failed,
        byKind: Object.fromEntries([...this.#kinds].map(([kind, { count }]) => [kind, count])),
        examples: Object.fromEntries([...this.#kinds].map(([kind, { example }]) => [kind, example])),
      },
      correctness: { checked: answered, wrong: this.#wrong },
      segments,
      servers: addresses.map((address, i) => ({ address, ...this.#servers[i]! })),
      histogram: {
        latency: this.#latency.toJSON(),
        serviceTime: this.#service.toJSON(),
        slip: this.#slip.toJSON(),
      },
    };
  }

  /** The segments that had begun when the interval ended; the last of them may be shorter. */
  #finishSegments(until: number): Segment[] {
    const length = until - this.#from;
    return this.#segments.slice(0, Math.ceil(length / this.#segmentMs)).map(({ answered, failed, latencyMs }, i) => ({
      startSeconds: (i * this.#segmentMs) / 1000,
      durationSeconds: Math.min(this.#segmentMs, length - i * this.#segmentMs) / 1000,
      answered,
      failed,
      meanLatencyMs: answered ? latencyMs / answered : null,
    }));
  }
}

const sum = (segments: readonly Segment[], key: "answered" | "failed" | "durationSeconds"): number =>
  segments.reduce((total, segment) => total + segment[key], 0);

/** Rate of the second half of the segments relative to the first, less one; null if the first half has no answers. */
export function drift(segments: readonly Segment[]): number | null {
  const half = Math.floor(segments.length / 2);
  const rate = (part: readonly Segment[]) => sum(part, "answered") / sum(part, "durationSeconds");
  const first = rate(segments.slice(0, half));
  return first > 0 ? rate(segments.slice(segments.length - half)) / first - 1 : null;
}
