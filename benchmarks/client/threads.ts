import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { UserError } from "../../error.ts";
import { now } from "./clock.ts";
import { type Experiment, type Hooks, runPart } from "./engine.ts";
import type { Input } from "./inputs.ts";
import { lostPart } from "./lostPart.ts";
import { completeLoad, wholeLoad } from "./pacer.ts";
import type { Part, RateChange, RateControl } from "./part.ts";
import { mergeTicks, type Sample, type Tick } from "./recorder.ts";

/** By this a thread knows that it is one of ours. */
const mark = "inference-stack-load";
/** From the word to start until the start, so that all threads have heard it. */
const startDelayMs = 50;
/** A thread that was told to end and has not after this long is ended. */
const endGraceMs = 5000;

interface Start {
  readonly mark: typeof mark;
  readonly experiment: Experiment;
  readonly wants: { readonly ticks: boolean; readonly samples: boolean };
}

type ToThread = { startAt: number } | { change: RateChange } | { abort: true };
type FromThread =
  | { ready: true }
  | { tick: Tick }
  | { samples: readonly Sample[] }
  | { part: Part }
  | { error: string; user: boolean };

/** A thread of a run runs its part when its file is loaded, and nothing else: the bundle's entry must not begin a run of its own. */
export const isLoadThread = !isMainThread && (workerData as Partial<Start> | null)?.mark === mark;

/**
 * Runs an experiment on several event loops of this process, each of which carries an equal share of (this pod's share of)
 * the load. They start together. With one thread it runs on this event loop.
 *
 * A thread that dies leaves a part that says so (`fault`); the others go on.
 *
 * @throws UserError if there is nothing to measure
 */
export async function runThreads(experiment: Experiment, threads: number, hooks: Hooks = {}): Promise<Part[]> {
  if (threads <= 1) return [await runPart(experiment, hooks)];
  completeLoad(experiment.load, experiment.target.protocol);
  const { index, of } = experiment.share ?? wholeLoad;
  const inputs = experiment.inputs.map(shared);
  const ticks: (Tick | undefined)[] = [];
  const crew = Array.from({ length: threads }, (_, i) => {
    const part: Experiment = {
      ...experiment,
      name: `${experiment.name}/${i}`,
      inputs,
      share: { index: index * threads + i, of: of * threads },
    };
    return new LoadThread(part, hooks, (tick) => {
      ticks[i] = tick;
    });
  });
  const tellAll = (message: ToThread) => {
    for (const thread of crew) thread.tell(message);
  };
  const abort = () => tellAll({ abort: true });
  if (hooks.signal?.aborted) abort();
  hooks.signal?.addEventListener("abort", abort, { once: true });
  const unsubscribe = hooks.rate?.subscribe((change) => tellAll({ change }));
  const { onTick } = hooks;
  const ticking =
    onTick &&
    setInterval(() => {
      const shown = ticks.filter((tick) => tick !== undefined);
      if (shown.length) onTick(mergeTicks(shown));
    }, 1000);
  try {
    // One that cannot begin spoils it for all: there is nothing to measure.
    await Promise.all(crew.map((thread) => thread.ready));
    const startAt = (await hooks.onReady?.()) ?? experiment.startAt ?? now() + startDelayMs;
    tellAll({ startAt });
    return await Promise.all(crew.map((thread) => thread.part));
  } finally {
    clearInterval(ticking);
    unsubscribe?.();
    hooks.signal?.removeEventListener("abort", abort);
    await Promise.all(crew.map((thread) => thread.end()));
  }
}

/** One thread, as its owner sees it. */
class LoadThread {
  readonly #worker: Worker;
  /** Rejects if it cannot begin. */
  readonly ready: Promise<void>;
  /** Never rejects once it was ready. */
  readonly part: Promise<Part>;

  constructor(experiment: Experiment, hooks: Hooks, onTick: (tick: Tick) => void) {
    const start: Start = { mark, experiment, wants: { ticks: !!hooks.onTick, samples: !!hooks.onSamples } };
    const worker = new Worker(threadFile(), { workerData: start });
    this.#worker = worker;
    let begun = false;
    const ready = Promise.withResolvers<void>();
    const part = Promise.withResolvers<Part>();
    const fail = (what: string, user: boolean) => {
      if (begun) part.resolve(lostPart(experiment, `Thread ${experiment.name} died while it measured: ${what}.`));
      else ready.reject(user ? new UserError(what) : new UserError(`Thread ${experiment.name} died: ${what}.`));
    };
    worker.on("message", (message: FromThread) => {
      if ("ready" in message) {
        begun = true;
        ready.resolve();
      } else if ("tick" in message) onTick(message.tick);
      else if ("samples" in message) hooks.onSamples?.(message.samples);
      else if ("part" in message) part.resolve(message.part);
      else fail(message.error, message.user);
    });
    worker.on("error", (error: Error) => fail(error.message, false));
    worker.on("exit", (code) => fail(`it ended with code ${code}`, false));
    ready.promise.catch(() => {}); // whoever awaits it hears of it
    this.ready = ready.promise;
    this.part = part.promise;
  }

  tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  async end(): Promise<void> {
    this.tell({ abort: true });
    const late = setTimeout(() => this.#worker.terminate(), endGraceMs);
    if (this.#worker.threadId !== -1) await new Promise((resolve) => this.#worker.once("exit", resolve));
    clearTimeout(late);
  }
}

/** This very file: the TypeScript source, or the bundle, which is CommonJS and has no import.meta. */
const threadFile = (): string => (typeof __filename === "string" ? __filename : fileURLToPath(import.meta.url));

/** The input with its data where all threads can read it, instead of a copy in each. */
function shared(input: Input): Input {
  const data = Buffer.from(new SharedArrayBuffer(input.data.length));
  data.set(input.data);
  return { ...input, data };
}

/** What a thread does. */
async function runThread({ experiment, wants }: Start): Promise<void> {
  const port = parentPort!;
  const say = (message: FromThread) => port.postMessage(message);
  const abort = new AbortController();
  const started = Promise.withResolvers<number>();
  const changes: RateChange[] = [];
  const listeners = new Set<(change: RateChange) => void>();
  const rate: RateControl = {
    subscribe(listener) {
      changes.forEach(listener);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  port.on("message", (message: ToThread) => {
    if ("startAt" in message) started.resolve(message.startAt);
    else if ("change" in message) {
      changes.push(message.change);
      for (const listener of listeners) listener(message.change);
    } else {
      abort.abort();
      started.resolve(now());
    }
  });
  try {
    // What comes over a port is a plain Uint8Array.
    const inputs = experiment.inputs.map((input) => ({
      ...input,
      data: Buffer.from(input.data.buffer, input.data.byteOffset, input.data.length),
    }));
    const part = await runPart(
      { ...experiment, inputs },
      {
        onReady: () => {
          say({ ready: true });
          return started.promise;
        },
        ...(wants.ticks && { onTick: (tick: Tick) => say({ tick }) }),
        ...(wants.samples && { onSamples: (samples: readonly Sample[]) => say({ samples }) }),
        signal: abort.signal,
        rate,
      },
    );
    say({ part });
  } catch (error) {
    const user = error instanceof UserError;
    say({ error: user ? error.message : ((error as Error).stack ?? String(error)), user });
  } finally {
    port.close();
  }
}

if (isLoadThread) runThread(workerData as Start);
