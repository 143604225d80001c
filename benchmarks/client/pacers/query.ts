import { Samples } from "../samples.ts";
import { type Mlperf, requestsPerQuery } from "./mlperf.ts";
import type { Host, Pacer } from "./pacer.ts";

/**
 * MLPerf's SingleStream and MultiStream: one query at a time, the next one due when the last was answered, until both the
 * least time and the least number of queries are reached. The samples of a query are sent at once.
 */
export class QueryPacer implements Pacer {
  readonly lanes: number;
  readonly ownConnections = false;
  readonly lengthMs = undefined;
  readonly queries: Samples | undefined;
  readonly #load: Mlperf;
  #host!: Host;
  #stopped = false;
  #from = 0;
  #queries = 0;
  #dueAt = 0;
  #pending = 0;
  #failed = false;

  constructor(load: Mlperf) {
    this.#load = load;
    this.lanes = requestsPerQuery(load);
    this.queries = this.lanes > 1 ? new Samples() : undefined;
  }

  start(host: Host, at: number): void {
    this.#host = host;
    this.#from = at + this.#load.warmupSeconds * 1000;
    host.measure(this.#from);
    this.#query(Math.max(performance.now(), at));
  }

  #query(dueAt: number): void {
    this.#dueAt = dueAt;
    this.#pending = this.lanes;
    this.#failed = false;
    for (let lane = 0; lane < this.lanes; lane++) this.#host.send(lane, dueAt);
  }

  ended(_lane: number, at: number, failed: boolean): void {
    if (failed) this.#failed = true;
    if (--this.#pending > 0 || this.#stopped) return;
    const { minDurationSeconds, minQueries } = this.#load;
    if (this.#dueAt >= this.#from) {
      this.#queries++;
      if (!this.#failed) this.queries?.record(at - this.#dueAt);
      if (this.#queries >= minQueries && at - this.#from >= minDurationSeconds * 1000) {
        this.#stopped = true;
        this.#host.finished(at);
        return;
      }
    }
    this.#query(at);
  }

  stop(): void {
    this.#stopped = true;
  }
}
