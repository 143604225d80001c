import type { Distribution, Result } from "../result.ts";
import type { Window } from "../scaling.ts";

/**
 * What one event loop measured of one run. Plain JSON, so that it can come from a thread or from another pod; all of them
 * together make the measurement (`merge.ts`). Times are milliseconds since the epoch by the coordinator's clock.
 */
export interface Part {
  /** Pod or thread. */
  readonly name: string;
  /** The measured interval, as planned; the same in all parts of a run. */
  readonly from: number;
  readonly until: number;
  /** When it really ended. */
  readonly endedAt: number;
  readonly counts: Result["counts"];
  /** Requests due in the interval that were also sent in it: what the generator (or a lack of connections) held back is missing. */
  readonly sentInTime: number;
  readonly errors: Result["errors"];
  readonly correctness: Result["correctness"];
  /** TCP payload and message bodies of all its connections over the whole run, and the requests they carried. */
  readonly wire: {
    readonly sent: number;
    readonly received: number;
    readonly bodySent: number;
    readonly bodyReceived: number;
    readonly requests: number;
  };
  readonly servers: Result["servers"];
  /** Sum over its requests of the time each was in flight within the interval. */
  readonly inFlightMs: number;
  /** Cut where a stage began or the rate was changed; at least one. */
  readonly segments: readonly PartSegment[];
  /** The interval in equal bins, and how long they are: in all parts of a run the same, or twice or half of it and so on. */
  readonly series: readonly Bin[];
  readonly binMs: number;
  /** Requests by the window of the SLO in which they were due, where there is one. */
  readonly windows?: readonly Window[];
  /** MLPerf: queries, from when they were due until their last sample was answered. */
  readonly queries?: Distribution;
  readonly client: Result["environment"]["clients"][number];
  /** One sentence on what makes this part, and with it the run, untrustworthy, such as a thread that died. */
  readonly fault?: string;
}

export interface PartSegment {
  readonly from: number;
  readonly until: number;
  /** What the schedule asks of this part, in requests per second at the end of the segment; null in a closed loop. */
  readonly rate: number | null;
  /** Requests due in it by the schedule; null in a closed loop. */
  readonly scheduled: number | null;
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  readonly latency: Distribution;
  readonly serviceTime: Distribution;
  readonly slip: Distribution;
}

export interface Bin {
  /** Answers and failures that arrived in it. */
  readonly answered: number;
  readonly failed: number;
  readonly latencyMicros: number;
  /** Requests in flight (due and not ended) at its end. */
  readonly inFlight: number;
}

/** The rate of an open loop changed while it ran. */
export interface RateChange {
  /** When it takes effect, milliseconds since the epoch by the coordinator's clock. */
  readonly at: number;
  /** Requests per second of all parts together. */
  readonly rate: number;
}

/** Where a running part hears of changes of its rate. */
export interface RateControl {
  /** Calls back at once with every change made so far, then with each new one; returns what ends it. */
  subscribe(listener: (change: RateChange) => void): () => void;
}
