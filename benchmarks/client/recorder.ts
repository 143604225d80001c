import type { Slo, Window } from "../scaling.ts";
import type { Piece } from "./pacers/schedule.ts";
import type { Part, PartSegment } from "./part.ts";
import { Samples } from "./samples.ts";
import { Series } from "./series.ts";

/** What happened since the last look, for showing it live. */
export interface Tick {
  /** Since the start of the measured interval; negative in the warm-up. */
  readonly seconds: number;
  /** Answers. */
  readonly requestsPerSecond: number;
  /** What an open loop asks for now; null in a closed one. */
  readonly requestedRate: number | null;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Failed requests since the start of the measured interval. */
  readonly failed: number;
  /** Requests sent and not ended. */
  readonly inFlight: number;
}

/** What several event loops show together. The percentiles are the worst of them: good enough for a line that passes by. */
export function mergeTicks(ticks: readonly Tick[]): Tick {
  const sum = (of: (tick: Tick) => number) => ticks.reduce((total, tick) => total + of(tick), 0);
  const largest = (of: (tick: Tick) => number) => Math.max(0, ...ticks.map(of));
  return {
    seconds: ticks.length ? Math.max(...ticks.map(({ seconds }) => seconds)) : 0,
    requestsPerSecond: sum(({ requestsPerSecond }) => requestsPerSecond),
    requestedRate: ticks.some(({ requestedRate }) => requestedRate !== null)
      ? sum(({ requestedRate }) => requestedRate ?? 0)
      : null,
    p50Ms: largest(({ p50Ms }) => p50Ms),
    p99Ms: largest(({ p99Ms }) => p99Ms),
    failed: sum(({ failed }) => failed),
    inFlight: sum(({ inFlight }) => inFlight),
  };
}

/** One request that has ended, for whoever wants to see them all. Times are milliseconds since the epoch. */
export interface Sample {
  readonly dueAt: number;
  readonly sentAt: number;
  readonly endedAt: number;
  /** Address and port. */
  readonly server: string;
  /** Names of the inputs, with commas. */
  readonly input: string;
  /** Due in the measured interval. */
  readonly measured: boolean;
  /** Kind of the failure. */
  readonly failure?: string;
  /** The answer; of a batch, all of them with commas. */
  readonly answer?: number | string;
  /** Whether all answers were right. */
  readonly right?: boolean;
}

/** More kinds of failures than that are counted together: what a hostile server says must not fill the memory. */
const maxKinds = 50;
const maxExample = 300;
/** Each has three histograms. */
const maxSegments = 200;

/** A piece of the interval with one rate, or a ramp. Times of `performance.now()`. */
interface Cut {
  readonly from: number;
  /** Requests per second asked of this part at its end; null in a closed loop. */
  rate: number | null;
  sent: number;
  missed: number;
  failed: number;
  samples: { latency: Samples; service: Samples; slip: Samples } | undefined;
}

const cutAt = (from: number, rate: number | null): Cut => ({
  from,
  rate,
  sent: 0,
  missed: 0,
  failed: 0,
  samples: undefined,
});

/** What the recorder contributes to a part. */
export type Recorded = Pick<
  Part,
  | "counts"
  | "errors"
  | "correctness"
  | "servers"
  | "inFlightMs"
  | "segments"
  | "series"
  | "binMs"
  | "sentInTime"
  | "windows"
>;

/**
 * Takes down every request, in memory that does not grow with their number.
 *
 * Latencies and counts are those of the requests that were due in the interval, to their very end, so that a slow last
 * request cannot escape. The series, and the throughput that comes from it, counts what ended within the interval, whenever
 * it was due, so that it depends neither on the ramp at its start nor on the wait for the last reply.
 */
export class Recorder {
  readonly #batch: number;
  readonly #lengthMs: number | undefined;
  readonly #series: Series;
  readonly #live = new Samples();
  readonly #kinds = new Map<string, { count: number; example: string }>();
  readonly #servers: { answered: number; failed: number }[] = [];
  readonly #slo: Slo | undefined;
  readonly #windows: { -readonly [K in keyof Window]: Window[K] }[] = [];
  #cuts: Cut[] = [cutAt(0, null)];
  #from = Number.POSITIVE_INFINITY;
  #until = Number.POSITIVE_INFINITY;
  #liveFrom = performance.now();
  #inFlightMs = 0;
  #warmup = 0;
  #sent = 0;
  #sentInTime = 0;
  #missed = 0;
  #answered = 0;
  #failed = 0;
  #wrong = 0;

  /**
   * @param lengthMs of the measured interval; undefined if only its end will tell
   * @param batch inputs in a request
   * @param slo what is counted by window, if anything
   */
  constructor(lengthMs: number | undefined, batch: number, slo?: Slo) {
    this.#batch = batch;
    this.#lengthMs = lengthMs;
    this.#series = new Series(lengthMs);
    this.#slo = slo;
  }

  /** When the measured interval begins, in the times of `performance.now()`. */
  get from(): number {
    return this.#from;
  }

  /**
   * The measured interval begins at `from`.
   *
   * @param pieces of the schedule, relative to it; none in a closed loop
   * @param of parts that share the schedule
   */
  begin(from: number, pieces: readonly Piece[] | undefined, of: number): void {
    this.#from = from;
    this.#until = from + (this.#lengthMs ?? Number.POSITIVE_INFINITY);
    this.cut(pieces, of);
  }

  /** The schedule has other pieces from some time on; what was recorded stays where it is. */
  cut(pieces: readonly Piece[] | undefined, of: number): void {
    if (!pieces) {
      this.#cuts = [cutAt(this.#from, null)];
      return;
    }
    const before = this.#cuts;
    this.#cuts = pieces.slice(0, maxSegments).map((piece) => {
      const from = this.#from + piece.from;
      const rate = piece.endRate / of;
      const known = before.find((cut) => cut.from === from && cut.rate !== null);
      if (!known) return cutAt(from, rate);
      known.rate = rate;
      return known;
    });
  }

  #cutOf(dueAt: number): Cut {
    const cuts = this.#cuts;
    let i = cuts.length - 1;
    while (i > 0 && dueAt < cuts[i]!.from) i--;
    return cuts[i]!;
  }

  /** Counted like this a request that never ends is late without anybody's doing. */
  #window(dueAt: number, count: keyof Window): void {
    if (!this.#slo) return;
    const window = Math.floor((dueAt - this.#from) / (this.#slo.windowSeconds * 1000));
    while (this.#windows.length <= window) this.#windows.push({ due: 0, kept: 0 });
    this.#windows[window]![count]++;
  }

  #server(server: number): { answered: number; failed: number } {
    this.#servers[server] ??= { answered: 0, failed: 0 };
    return this.#servers[server];
  }

  /** A request was sent. */
  sent(dueAt: number, sentAt: number): void {
    this.#series.due(this.#sinceStart(dueAt));
    if (dueAt < this.#from) return;
    this.#sent++;
    this.#window(dueAt, "due");
    this.#cutOf(dueAt).sent++;
    if (sentAt < this.#until) this.#sentInTime++;
  }

  /** A request of the measured interval was due and is not sent any more. */
  missed(dueAt: number): void {
    this.#series.due(dueAt - this.#from);
    this.#missed++;
    this.#window(dueAt, "due");
    this.#cutOf(dueAt).missed++;
    this.#inFlightMs += Math.max(this.#until - dueAt, 0);
  }

  /** The request was answered; `wrong` of its answers were not right. */
  answered(dueAt: number, sentAt: number, at: number, server: number, wrong: number): void {
    const latencyMs = at - dueAt;
    this.#live.record(latencyMs);
    this.#ended(dueAt, at, false);
    if (dueAt < this.#from) {
      this.#warmup++;
      return;
    }
    this.#answered++;
    this.#server(server).answered++;
    if (this.#slo && latencyMs <= this.#slo.p99Ms) this.#window(dueAt, "kept");
    this.#wrong += wrong;
    const cut = this.#cutOf(dueAt);
    cut.samples ??= { latency: new Samples(), service: new Samples(), slip: new Samples() };
    cut.samples.latency.record(latencyMs);
    cut.samples.service.record(at - sentAt);
    cut.samples.slip.record(sentAt - dueAt);
  }

  failed(dueAt: number, at: number, server: number, kind: string, detail: string): void {
    this.#ended(dueAt, at, true);
    if (dueAt < this.#from) {
      this.#warmup++;
      return;
    }
    this.#failed++;
    this.#server(server).failed++;
    this.#cutOf(dueAt).failed++;
    const name = this.#kinds.has(kind) || this.#kinds.size < maxKinds ? kind : "other";
    const known = this.#kinds.get(name);
    if (known) known.count++;
    else this.#kinds.set(name, { count: 1, example: detail.slice(0, maxExample) });
  }

  #ended(dueAt: number, at: number, failed: boolean): void {
    const overlap = Math.min(at, this.#until) - Math.max(dueAt, this.#from);
    if (overlap > 0) this.#inFlightMs += overlap;
    if (at < this.#until) this.#series.ended(this.#sinceStart(at), at - dueAt, failed);
  }

  #sinceStart(at: number): number {
    return at < this.#from ? -1 : at - this.#from;
  }

  tick(now: number, requestedRate: number | null, inFlight: number): Tick {
    const tick = {
      seconds: this.#from === Number.POSITIVE_INFINITY ? 0 : (now - this.#from) / 1000,
      requestsPerSecond: (this.#live.count * 1000) / (now - this.#liveFrom),
      requestedRate,
      p50Ms: this.#live.percentileMs(50_000),
      p99Ms: this.#live.percentileMs(99_000),
      failed: this.#failed,
      inFlight,
    };
    this.#live.reset();
    this.#liveFrom = now;
    return tick;
  }

  /**
   * @param endedAt when the interval really ended: earlier than planned if the run was interrupted
   * @param abandoned measured requests that had neither ended nor timed out by then
   * @param toEpoch from times of `performance.now()` to milliseconds since the epoch
   */
  finish(endedAt: number, abandoned: number, addresses: readonly string[], toEpoch: (at: number) => number): Recorded {
    const from = Math.min(this.#from, endedAt);
    const answered = this.#answered;
    const begun = this.#cuts.filter((cut, i) => i === 0 || cut.from < endedAt);
    return {
      counts: {
        sent: this.#sent,
        answered,
        failed: this.#failed,
        abandoned,
        unsent: this.#missed,
        inferences: answered * this.#batch,
        warmup: this.#warmup,
      },
      sentInTime: this.#sentInTime,
      errors: {
        total: this.#failed,
        byKind: Object.fromEntries([...this.#kinds].map(([kind, { count }]) => [kind, count])),
        examples: Object.fromEntries([...this.#kinds].map(([kind, { example }]) => [kind, example])),
      },
      correctness: { checked: answered * this.#batch, wrong: this.#wrong },
      servers: addresses.map((address, i) => ({ address, ...this.#server(i) })),
      inFlightMs: this.#inFlightMs,
      segments: begun.map((cut, i): PartSegment => {
        const { latency, service, slip } = cut.samples ?? noSamples;
        return {
          from: toEpoch(Math.max(cut.from, from)),
          until: toEpoch(Math.min(begun[i + 1]?.from ?? endedAt, endedAt)),
          rate: cut.rate,
          scheduled: cut.rate === null ? null : cut.sent + cut.missed,
          sent: cut.sent,
          answered: latency.count,
          failed: cut.failed,
          latency: latency.toJSON(),
          serviceTime: service.toJSON(),
          slip: slip.toJSON(),
        };
      }),
      series: this.#series.bins(endedAt - from),
      binMs: this.#series.binMs,
      ...(this.#slo && { windows: this.#windows }),
    };
  }
}

const none = new Samples();
const noSamples = { latency: none, service: none, slip: none };
