import type { Slo } from "../scaling.ts";
import type { Load, Target } from "../spec.ts";
import { Batches } from "./batches.ts";
import { type Business, watchBusiness } from "./busy.ts";
import { ownCpus } from "./cpus.ts";
import { follow, type Resolve } from "./follow.ts";
import { drawOrder, type Input } from "./inputs.ts";
import { faultOf, Lanes } from "./lanes.ts";
import { nodeName } from "./node.ts";
import { type CompleteLoad, completeLoad, pacerFor, planOf, wholeLoad } from "./pacer.ts";
import type { Host, Pacer, Share } from "./pacers/pacer.ts";
import type { Change } from "./pacers/schedule.ts";
import type { Part, RateControl } from "./part.ts";
import { protocols } from "./protocols/index.ts";
import type { Address, Outcome } from "./protocols/protocol.ts";
import { readTls } from "./protocols/tls.ts";
import { Recorder, type Sample, type Tick } from "./recorder.ts";
import { SampleBlocks } from "./sampleBlocks.ts";

export interface Experiment {
  /** Pod or thread; names it in the result. */
  readonly name: string;
  readonly target: Target;
  readonly load: Load;
  readonly inputs: readonly Input[];
  /** The servers; at least one. */
  readonly addresses: readonly Address[];
  /** For how long to try again until the servers answer for the first time, in seconds. Default: not at all. */
  readonly patienceSeconds?: number;
  /** Which part of the load falls to this one. Default: all of it. */
  readonly share?: Share;
  /** When the warm-up starts, milliseconds since the epoch by this host's clock (`clock.ts`). Default: as soon as it can. */
  readonly startAt?: number;
  /** The servers come and go: keep to those that the target's name stands for. `addresses` are the first ones. */
  readonly follows?: boolean;
  /** Count by window what keeps it. */
  readonly slo?: Slo;
}

export interface Hooks {
  /** Called each second, warm-up included. */
  readonly onTick?: (tick: Tick) => void;
  /** Called with every request that has ended, warm-up included, some hundreds at a time; the last ones before the run resolves. */
  readonly onSamples?: (samples: readonly Sample[]) => void;
  /** Called when everything is connected and tried; says when the warm-up starts, in the place of `startAt`. */
  readonly onReady?: () => Promise<number | undefined>;
  /** Ends the run early, with what was measured so far. */
  readonly signal?: AbortSignal;
  /** Changes of the rate while it runs; only an open loop heeds them. */
  readonly rate?: RateControl;
  /** Addresses of a name, for an experiment that follows it; DNS unless replaced. */
  readonly resolve?: Resolve;
}

const maxReplyBytes = 64 << 20;
/** A client of a closed loop whose connection failed waits this long, so that a dead server is not asked thousands of times a second. */
const reconnectPauseMs = 100;
/** Between two tries of servers that do not answer yet. */
const tryAgainMs = 500;
/** After an interruption, replies under way may still arrive for this long. */
const interruptedGraceMs = 1000;

/**
 * Runs one part of an experiment on this event loop: connects, tries every server once, warms up, measures, and waits for
 * the last replies. Ends, whatever the servers do, at the latest two time-outs after the measured interval: one in which
 * what was due may still be sent, and one for its replies.
 *
 * @throws UserError if a server cannot be reached or does not answer the first request: there is nothing to measure
 */
export async function runPart(experiment: Experiment, hooks: Hooks = {}): Promise<Part> {
  const { target, addresses, share = wholeLoad } = experiment;
  const load = completeLoad(experiment.load, target.protocol);
  const timeoutMs = load.timeoutSeconds * 1000;
  const protocol = protocols[target.protocol](target, readTls(target));
  const batches = new Batches(protocol, experiment.inputs, load.batch, load.seed);
  const pacer = pacerFor(load, share, target.protocol);
  let lanes: Lanes | undefined;
  let stopFollowing = () => {};
  try {
    lanes = await reach(experiment, hooks, async () => {
      const connected = await Lanes.connect(protocol, target, addresses, pacer, { timeoutMs, maxReplyBytes });
      try {
        await connected.tryServers(target, addresses, batches);
        return connected;
      } catch (error) {
        connected.close();
        throw error;
      }
    });
    if (experiment.follows) stopFollowing = follow(target, lanes, hooks.resolve);
    const startAt = (await hooks.onReady?.()) ?? experiment.startAt;
    const run = new Run(experiment, load, share, pacer, lanes, batches, hooks);
    return await run.run(startAt === undefined ? performance.now() : startAt - performance.timeOrigin);
  } finally {
    stopFollowing();
    lanes?.close();
    pacer.stop();
  }
}

/** The connections, once every server has answered. */
async function reach(
  { patienceSeconds = 0 }: Experiment,
  { signal }: Hooks,
  connect: () => Promise<Lanes>,
): Promise<Lanes> {
  const deadline = performance.now() + patienceSeconds * 1000;
  for (;;)
    try {
      return await connect();
    } catch (error) {
      if (signal?.aborted || performance.now() >= deadline) throw error;
      await new Promise((next) => setTimeout(next, tryAgainMs));
    }
}

/** One request under way. Kept and used again, so that a request makes no garbage. */
class Call {
  lane = 0;
  message = 0;
  server = 0;
  dueAt = 0;
  sentAt = 0;
  readonly done: (outcome: Outcome) => void;
  constructor(run: Run) {
    this.done = (outcome) => run.ended(this, outcome);
  }
}

class Run implements Host {
  readonly #experiment: Experiment;
  readonly #load: CompleteLoad;
  readonly #share: Share;
  readonly #pacer: Pacer;
  readonly #lanes: Lanes;
  readonly #batches: Batches;
  readonly #hooks: Hooks;
  readonly #recorder: Recorder;
  readonly #samples: SampleBlocks | undefined;
  readonly #draw: (lane: number) => number;
  /** An open loop goes on at its rate when a connection fails; a closed one would turn as fast as it can. */
  readonly #pausesAfterFailure: boolean;
  readonly #calls: Call[] = [];
  #requests = 0;
  #inFlight = 0;
  #measuredInFlight = 0;
  #drained: () => void = () => {};
  #finish!: (until: number) => void;
  #business: { stop(): Business } | undefined;
  #businessTimer: NodeJS.Timeout | undefined;

  constructor(
    experiment: Experiment,
    load: CompleteLoad,
    share: Share,
    pacer: Pacer,
    lanes: Lanes,
    batches: Batches,
    hooks: Hooks,
  ) {
    this.#experiment = experiment;
    this.#load = load;
    this.#share = share;
    this.#pacer = pacer;
    this.#lanes = lanes;
    this.#batches = batches;
    this.#hooks = hooks;
    this.#recorder = new Recorder(pacer.lengthMs, load.batch, experiment.slo);
    this.#draw = drawFor(load, share, pacer.lanes, batches.messages.length);
    this.#pausesAfterFailure = planOf(load) === undefined;
    this.#samples = hooks.onSamples && new SampleBlocks(hooks.onSamples, lanes.servers, batches);
  }

  async run(startAt: number): Promise<Part> {
    const { signal, onTick } = this.#hooks;
    const { timeoutSeconds } = this.#load;
    const bytesBefore = this.#lanes.bytes();
    const finished = new Promise<number>((resolve) => {
      this.#finish = resolve;
    });
    const interrupted = once(signal);
    const changes: Change[] = [];
    const begin = delay(startAt - performance.now());
    await Promise.race([begin.done, interrupted.done]);
    begin.cancel();
    if (!signal?.aborted) this.#pacer.start(this, startAt); // a late one catches up: all parts keep to the same times
    const unsubscribe = this.#hooks.rate?.subscribe(({ at, rate }) => this.#change(changes, at, rate));
    const ticking = onTick && setInterval(() => onTick(this.#tick()), 1000);
    const planned = await Promise.race([finished, interrupted.done.then(() => undefined)]);
    const { from } = this.#recorder;
    const endedAt = planned ?? Math.min(performance.now(), from + (this.#pacer.lengthMs ?? Number.POSITIVE_INFINITY));
    if (planned === undefined) this.#pacer.stop();
    unsubscribe?.();
    clearInterval(ticking);
    clearTimeout(this.#businessTimer);
    const business = (this.#business ?? watchBusiness(() => 0)).stop();
    interrupted.cancel();
    // Every request times out by itself, so the longer wait is only a bound in case one does not.
    const patience = delay(planned === undefined ? interruptedGraceMs : timeoutSeconds * 1000 + 1000);
    const drain = new Promise<void>((resolve) => {
      this.#drained = resolve;
      if (this.#inFlight === 0) resolve();
    });
    await Promise.race([drain, patience.done]);
    patience.cancel();
    return this.#part(endedAt, bytesBefore, business);
  }

  #part(endedAt: number, before: ReturnType<Lanes["bytes"]>, business: Business): Part {
    const { name } = this.#experiment;
    const bytes = this.#lanes.bytes();
    const from = Math.min(this.#recorder.from, endedAt);
    this.#samples?.flush();
    const abandoned = this.#measuredInFlight;
    const { queries } = this.#pacer;
    return {
      name,
      from: toEpoch(from),
      until: toEpoch(from + (this.#pacer.lengthMs ?? endedAt - from)),
      endedAt: toEpoch(endedAt),
      ...this.#recorder.finish(endedAt, abandoned, this.#lanes.servers, toEpoch),
      wire: {
        sent: bytes.sent - before.sent,
        received: bytes.received - before.received,
        bodySent: bytes.bodySent - before.bodySent,
        bodyReceived: bytes.bodyReceived - before.bodyReceived,
        requests: this.#requests,
      },
      ...(queries && { queries: queries.toJSON() }),
      client: { name, node: nodeName(), cpus: ownCpus(), ...business, clockOffsetMs: 0 },
    };
  }

  #change(changes: Change[], at: number, rate: number): void {
    if (!this.#pacer.change || this.#recorder.from === Number.POSITIVE_INFINITY) return;
    changes.push({ at: toMicros(at - performance.timeOrigin - this.#recorder.from), rate });
    changes.sort((a, b) => a.at - b.at);
    this.#recorder.cut(planOf(this.#load, changes)?.pieces, this.#share.of);
    this.#pacer.change(changes);
  }

  #tick(): Tick {
    const now = performance.now();
    return this.#recorder.tick(now, this.#pacer.rateAt?.(now) ?? null, this.#inFlight);
  }

  measure(from: number): void {
    this.#recorder.begin(from, planOf(this.#load)?.pieces, this.#share.of);
    const watch = () => {
      this.#business = watchBusiness(() => this.#pacer.waitedMs ?? 0);
    };
    const wait = from - performance.now();
    if (wait > 0) this.#businessTimer = setTimeout(watch, wait);
    else watch();
  }

  send(lane: number, dueAt: number): number {
    const { connection, server } = this.#lanes.take(lane);
    const call = this.#calls.pop() ?? new Call(this);
    const message = this.#draw(lane);
    call.lane = lane;
    call.message = message;
    call.server = server;
    call.dueAt = dueAt;
    this.#requests++;
    this.#inFlight++;
    if (dueAt >= this.#recorder.from) this.#measuredInFlight++;
    const sentAt = performance.now();
    call.sentAt = sentAt;
    connection.send(this.#batches.messages[message]!, call.done);
    this.#recorder.sent(dueAt, sentAt);
    return sentAt;
  }

  ended(call: Call, outcome: Outcome): void {
    const { lane, dueAt } = call;
    const { at } = outcome;
    const failed = outcome.reply === undefined;
    this.#inFlight--;
    if (dueAt >= this.#recorder.from) this.#measuredInFlight--;
    // The next request goes out first: checking must not keep the server waiting.
    if (failed && outcome.kind.startsWith("connection ")) {
      // A connection that is failing cannot take the next request in the midst of it.
      const next = () => this.#pacer.ended(lane, performance.now(), true);
      if (this.#pausesAfterFailure) setTimeout(next, reconnectPauseMs);
      else setImmediate(next);
    } else this.#pacer.ended(lane, at, failed);
    this.#record(call, outcome);
    this.#calls.push(call);
    if (this.#inFlight === 0) this.#drained();
  }

  #record({ dueAt, sentAt, server, message }: Call, outcome: Outcome): void {
    const { at } = outcome;
    let failure: { kind: string; detail: string };
    if (outcome.reply) {
      try {
        if (this.#samples) {
          const answers = this.#batches.answers(message, outcome.reply);
          const wrong = this.#batches.count(message, answers);
          this.#recorder.answered(dueAt, sentAt, at, server, wrong);
          this.#samples.add(dueAt, sentAt, at, server, message, dueAt >= this.#recorder.from, { answers, wrong });
        } else {
          this.#recorder.answered(dueAt, sentAt, at, server, this.#batches.wrongAnswers(message, outcome.reply));
        }
        return;
      } catch (error) {
        failure = faultOf(error);
      }
    } else failure = outcome;
    this.#recorder.failed(dueAt, at, server, failure.kind, failure.detail);
    this.#samples?.add(dueAt, sentAt, at, server, message, dueAt >= this.#recorder.from, failure);
  }

  missed(dueAt: number): void {
    this.#recorder.missed(dueAt);
  }

  finished(until: number): void {
    this.#finish(until);
  }
}

/**
 * Which message a lane sends next. Each client of a closed loop has an order of its own, wherever it runs. In an open loop
 * the n-th arrival has the n-th draw, whichever part it falls to.
 */
function drawFor(load: CompleteLoad, { index, of }: Share, lanes: number, messages: number): (lane: number) => number {
  if (load.mode === "closed") {
    const orders = Array.from({ length: lanes }, (_, lane) => drawOrder(messages, load.seed + index + lane * of));
    return (lane) => orders[lane]!();
  }
  const order = drawOrder(messages, load.seed);
  for (let i = 0; i < index; i++) order();
  if (of === 1) return order;
  return () => {
    const drawn = order();
    for (let i = 1; i < of; i++) order();
    return drawn;
  };
}

const toEpoch = (time: number): number => performance.timeOrigin + time;
const toMicros = (ms: number): number => Math.round(ms * 1000) / 1000;

function delay(ms: number): { done: Promise<void>; cancel: () => void } {
  let timer: NodeJS.Timeout;
  const done = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(ms, 0));
  });
  return { done, cancel: () => clearTimeout(timer) };
}

function once(signal: AbortSignal | undefined): { done: Promise<void>; cancel: () => void } {
  let listener = () => {};
  const done = new Promise<void>((resolve) => {
    if (signal?.aborted) resolve();
    listener = resolve;
    signal?.addEventListener("abort", listener, { once: true });
  });
  return { done, cancel: () => signal?.removeEventListener("abort", listener) };
}
