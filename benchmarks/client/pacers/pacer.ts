import type { Samples } from "../samples.ts";
import type { Change } from "./schedule.ts";

/** What a pacer drives. All times are those of `performance.now()`, in milliseconds. */
export interface Host {
  /** Sends a request in a lane; returns the time at which it was sent. */
  send(lane: number, dueAt: number): number;
  /** What is due from `from` on is measured. Called at that time or before. */
  measure(from: number): void;
  /** A measured request that was due and will not be sent, because the run is over. */
  missed(dueAt: number): void;
  /** Nothing is sent any more; the measured interval ends (or has ended) at `until`. Called once, never after `stop`. */
  finished(until: number): void;
}

/**
 * The arrival process: decides when each request is due. A lane is a slot for requests: a client in a closed loop, a
 * connection in an open one.
 */
export interface Pacer {
  readonly lanes: number;
  /** Every lane has connections of its own even where one connection could carry the requests of all. */
  readonly ownConnections: boolean;
  /** Length of the measured interval, milliseconds; undefined if only its end will tell. */
  readonly lengthMs: number | undefined;
  /** Begins at `at` with the warm-up. */
  start(host: Host, at: number): void;
  /** A request of a lane has ended; never called from within `send`. */
  ended(lane: number, at: number, failed: boolean): void;
  /** Ends it before its time: nothing is sent any more. */
  stop(): void;
  /** Open loop: other rates, in the order of time; all changes of the run so far. */
  change?(changes: readonly Change[]): void;
  /** Open loop: requests per second asked of this part at a time. */
  rateAt?(at: number): number;
  /** Milliseconds for which the event loop was kept turning only to send in time. */
  readonly waitedMs?: number;
  /** MLPerf scenarios whose queries are not single requests. */
  readonly queries?: Samples;
}

/** Which part of the whole load this event loop carries. */
export interface Share {
  readonly index: number;
  readonly of: number;
}
