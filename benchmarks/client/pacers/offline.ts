import { Samples } from "../samples.ts";
import { type Mlperf, requestsPerQuery } from "./mlperf.ts";
import type { Host, Pacer, Share } from "./pacer.ts";

/**
 * MLPerf's Offline: a single query, all of whose samples are due at once; each connection carries one request at a time. The
 * query has as many samples as it takes to reach both the least number of them and the least time.
 */
export class OfflinePacer implements Pacer {
  readonly lanes: number;
  readonly ownConnections = true;
  readonly lengthMs = undefined;
  readonly queries = new Samples();
  readonly #load: Mlperf;
  readonly #requests: number;
  #host!: Host;
  #from = 0;
  #stopped = false;
  #sent = 0;
  #active = 0;
  #failed = false;

  constructor(load: Mlperf, connections: number, { index, of }: Share) {
    this.#load = load;
    this.lanes = connections;
    const requests = requestsPerQuery(load);
    this.#requests = Math.floor(requests / of) + (index < requests % of ? 1 : 0);
  }

  start(host: Host, at: number): void {
    this.#host = host;
    const now = Math.max(performance.now(), at);
    const { warmupSeconds } = this.#load;
    this.#from = warmupSeconds > 0 ? at + warmupSeconds * 1000 : now;
    host.measure(this.#from);
    for (let lane = 0; lane < this.lanes; lane++) this.#next(lane, now);
  }

  #next(lane: number, at: number): void {
    if (this.#stopped) return;
    if (at < this.#from) {
      this.#active++;
      this.#host.send(lane, at);
      return;
    }
    if (this.#sent >= this.#requests && at - this.#from >= this.#load.minDurationSeconds * 1000) {
      if (this.#active > 0) return;
      this.#stopped = true;
      if (!this.#failed) this.queries.record(at - this.#from);
      this.#host.finished(at);
      return;
    }
    this.#sent++;
    this.#active++;
    this.#host.send(lane, this.#from);
  }

  ended(lane: number, at: number, failed: boolean): void {
    this.#active--;
    if (failed && this.#sent > 0) this.#failed = true;
    this.#next(lane, at);
  }

  stop(): void {
    this.#stopped = true;
  }
}
