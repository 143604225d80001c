import type { ClosedLoop } from "../../spec.ts";
import type { Host, Pacer } from "./pacer.ts";

/**
 * Clients that send the next request when their last one ended: it is due at that moment.
 *
 * By time, the warm-up runs into the measured interval without a pause. By count, the clients wait for each other after the
 * warm-up, and the interval ends with the last reply.
 */
export class ClosedPacer implements Pacer {
  readonly lanes: number;
  readonly ownConnections = false;
  readonly lengthMs: number | undefined;
  readonly #load: ClosedLoop;
  #host!: Host;
  #stopped = false;
  /** No request is begun from here on. */
  #until = Number.POSITIVE_INFINITY;
  /** By count: requests that each client still has to send in this phase. */
  #left: number[] = [];
  #warm = true;
  #active = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(load: ClosedLoop, clients: number) {
    this.#load = load;
    this.lanes = clients;
    this.lengthMs = load.durationSeconds === undefined ? undefined : load.durationSeconds * 1000;
  }

  start(host: Host, at: number): void {
    this.#host = host;
    const { warmupSeconds, warmupRepeats, repeats } = this.#load;
    const from = at + warmupSeconds * 1000;
    if (repeats === undefined) {
      host.measure(from);
      this.#until = from + this.lengthMs!;
      this.#timer = setTimeout(() => host.finished(this.#until), Math.ceil(this.#until - performance.now()) + 1);
      this.#begin(Number.POSITIVE_INFINITY, at);
    } else if (warmupRepeats) this.#begin(warmupRepeats, at);
    else if (warmupSeconds > 0) {
      this.#until = from;
      this.#begin(Number.POSITIVE_INFINITY, at);
    } else this.#measure(at);
  }

  #measure(earliest: number): void {
    this.#warm = false;
    this.#until = Number.POSITIVE_INFINITY;
    const from = Math.max(performance.now(), earliest);
    this.#host.measure(from);
    this.#begin(this.#load.repeats!, from);
  }

  #begin(requests: number, earliest: number): void {
    this.#left = new Array(this.lanes).fill(requests);
    this.#active = this.lanes;
    const now = Math.max(performance.now(), earliest); // a timer may have come a little early
    for (let lane = 0; lane < this.lanes; lane++) this.#next(lane, now);
  }

  #next(lane: number, at: number): void {
    if (this.#stopped) return;
    if (at < this.#until && this.#left[lane]! > 0) {
      this.#left[lane]!--;
      this.#host.send(lane, at);
    } else if (--this.#active === 0 && this.#load.repeats !== undefined) {
      if (this.#warm) this.#measure(at);
      else this.#host.finished(at);
    }
  }

  ended(lane: number, at: number): void {
    this.#next(lane, at);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
