import { Alarm } from "./alarm.ts";
import type { Host, Pacer, Share } from "./pacer.ts";
import { applyChanges, type Change, type Plan, rateAt, Schedule } from "./schedule.ts";

export interface OpenOptions {
  readonly warmupMs: number;
  readonly timeoutMs: number;
  readonly connections: number;
  /** A connection carries any number of requests; else one at a time. */
  readonly multiplexed: boolean;
  readonly share: Share;
}

/** The warm-up has arrivals of its own, so that its length changes nothing of what is measured. */
const warmupSeed = 0x5eed;

/**
 * Requests that are due by a schedule, whether or not earlier ones were answered.
 *
 * What finds no free connection waits, and is sent as soon as one is free, in the order in which it was due. The queue
 * needs no memory: it is what the schedule holds between the next arrival and now. Every part walks the whole schedule and
 * takes each of-th arrival, so that all parts together send exactly the schedule.
 */
export class OpenPacer implements Pacer {
  readonly lanes: number;
  readonly ownConnections = true;
  readonly lengthMs: number;
  readonly #plan: Plan;
  readonly #options: OpenOptions;
  readonly #alarm = new Alarm(() => this.#pump(performance.now()));
  #host!: Host;
  #schedule: Schedule | undefined;
  #warm = false;
  #changes: readonly Change[] = [];
  #stopped = false;
  /** Start of the measured interval. */
  #from = 0;
  /** When the next request of this part is due; Infinity after the last one. */
  #dueAt = 0;
  #lane = 0;
  /** Lanes without a request, as a ring: the one that has waited longest is next. */
  readonly #idle: Int32Array;
  #idleFirst = 0;
  #idleCount: number;

  constructor(plan: Plan, options: OpenOptions) {
    this.#plan = plan;
    this.#options = options;
    this.lanes = options.connections;
    this.lengthMs = plan.pieces.at(-1)!.until;
    this.#idle = Int32Array.from({ length: this.lanes }, (_, lane) => lane);
    this.#idleCount = this.lanes;
  }

  get waitedMs(): number {
    return this.#alarm.waitedMs;
  }

  start(host: Host, at: number): void {
    this.#host = host;
    this.#from = at + this.#options.warmupMs;
    host.measure(this.#from);
    this.#warm = this.#options.warmupMs > 0;
    this.#schedule = new Schedule(this.#warm ? this.#warmupPlan() : this.#measuredPlan());
    this.#skip(this.#options.share.index);
    this.#pump(performance.now());
  }

  #measuredPlan(): Plan {
    return { ...this.#plan, pieces: applyChanges(this.#plan.pieces, this.#changes) };
  }

  #warmupPlan(): Plan {
    const rate = this.#plan.pieces[0]!.startRate;
    const piece = { from: -this.#options.warmupMs, until: 0, startRate: rate, endRate: rate };
    return { ...this.#plan, seed: this.#plan.seed + warmupSeed, pieces: applyChanges([piece], this.#changes) };
  }

  change(changes: readonly Change[]): void {
    this.#changes = changes;
    this.#schedule!.replace((this.#warm ? this.#warmupPlan() : this.#measuredPlan()).pieces);
    this.#skip(0);
    this.#pump(performance.now());
  }

  rateAt(at: number): number {
    const pieces = (at < this.#from ? this.#warmupPlan() : this.#measuredPlan()).pieces;
    const since = at - this.#from;
    const piece = pieces.findLast(({ from }) => from <= since) ?? pieces[0]!;
    return since > piece.until ? 0 : rateAt(piece, since) / this.#options.share.of;
  }

  /** Goes over the arrivals of the other parts. */
  #skip(arrivals: number): void {
    const schedule = this.#schedule!;
    for (let i = 0; i < arrivals; i++) schedule.advance();
    if (this.#warm && schedule.next === Number.POSITIVE_INFINITY) {
      this.#warm = false;
      this.#schedule = new Schedule(this.#measuredPlan());
      this.#skip(this.#options.share.index);
    } else this.#dueAt = this.#from + schedule.next;
  }

  /** Sends what is due, and sees to it that it is called again when the next one is. */
  #pump(start: number): void {
    if (this.#stopped) return;
    const { multiplexed, share } = this.#options;
    let now = start;
    this.#alarm.busyTurn = true;
    while (this.#dueAt <= now) {
      let lane: number;
      if (multiplexed) {
        lane = this.#lane;
        this.#lane = lane + 1 === this.lanes ? 0 : lane + 1;
      } else {
        if (this.#idleCount === 0) break;
        lane = this.#idle[this.#idleFirst]!;
        this.#idleFirst = this.#idleFirst + 1 === this.lanes ? 0 : this.#idleFirst + 1;
        this.#idleCount--;
      }
      const dueAt = this.#dueAt;
      this.#skip(share.of);
      now = this.#host.send(lane, dueAt);
    }
    this.#arm(now);
  }

  #arm(now: number): void {
    const end = this.#from + this.lengthMs;
    if (this.#dueAt > now) {
      if (this.#dueAt < Number.POSITIVE_INFINITY) this.#alarm.set(this.#dueAt);
      else if (now >= end) this.#finish();
      else this.#alarm.set(end);
      return;
    }
    // All connections are taken: `ended` goes on. What is overdue at the end may still be sent, as long as a reply may take.
    const patience = end + this.#options.timeoutMs;
    if (now >= patience) this.#finish();
    else this.#alarm.set(patience);
  }

  #finish(): void {
    this.#stopped = true;
    this.#alarm.end();
    for (; this.#dueAt < Number.POSITIVE_INFINITY; this.#skip(this.#options.share.of)) this.#host.missed(this.#dueAt);
    this.#host.finished(this.#from + this.lengthMs);
  }

  ended(lane: number): void {
    this.#alarm.busyTurn = true;
    if (this.#options.multiplexed) return;
    const last = this.#idleFirst + this.#idleCount++;
    this.#idle[last < this.lanes ? last : last - this.lanes] = lane;
    if (this.#idleCount === 1) this.#pump(performance.now());
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#alarm.end();
    if (!this.#schedule) return; // it never started
    const now = performance.now();
    for (; this.#dueAt <= now; this.#skip(this.#options.share.of))
      if (this.#dueAt >= this.#from) this.#host.missed(this.#dueAt);
  }
}
