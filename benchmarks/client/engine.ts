import { UserError } from "../../error.ts";
import type { Result } from "../result.ts";
import type { ClosedLoop, Target } from "../spec.ts";
import { spread } from "./addresses.ts";
import { drawOrder, type Input } from "./inputs.ts";
import { closedLoop } from "./pacer.ts";
import { protocols } from "./protocols/index.ts";
import { type Address, authority, type Connection, type Message, type Protocol } from "./protocols/protocol.ts";
import { type Ended, Recorder, type Tick } from "./recorder.ts";

export interface Experiment {
  readonly target: Target;
  readonly load: ClosedLoop;
  readonly inputs: readonly Input[];
  /** The servers; at least one. */
  readonly addresses: readonly Address[];
}

export interface Hooks {
  /** Called each second, warm-up included. */
  readonly onTick?: (tick: Tick) => void;
  /** Ends the run early, with what was measured so far. */
  readonly signal?: AbortSignal;
}

/** What one run measured: a result without its verdict and without what only the caller knows. */
export type Measurement = Omit<Result, "schemaVersion" | "key" | "verdict" | "environment" | "plan" | "about"> & {
  readonly clientCpuSeconds: number;
};

export const defaultTimeoutSeconds = 10;
const maxReplyBytes = 64 << 20;
/** A lane whose connection failed waits this long, so that a dead server is not asked thousands of times a second. */
const reconnectPauseMs = 100;
/** After an interruption, replies under way may still arrive for this long. */
const interruptedGraceMs = 1000;

interface Lane {
  /** Connections of this lane, taken in turn, each with the index of its server's address. */
  readonly connections: readonly { readonly connection: Connection; readonly server: number }[];
  next: number;
}

/**
 * Runs one experiment: connects, tries every server once, warms up, measures, and waits for the last replies. Ends at the
 * latest one time-out after the measured interval, whatever the servers do.
 *
 * @throws UserError if a server cannot be reached or does not answer the first request: there is nothing to measure
 */
export async function measure(experiment: Experiment, hooks: Hooks = {}): Promise<Measurement> {
  const { target, load, inputs, addresses } = experiment;
  const protocol = protocols[target.protocol](target);
  const messages = inputs.map((input) => protocol.encode(input));
  const timeoutMs = (load.timeoutSeconds ?? defaultTimeoutSeconds) * 1000;
  const pacer = closedLoop(load);
  const lanes = await connectLanes(protocol, experiment, pacer.lanes, timeoutMs);
  const connections = lanes.flatMap((lane) => lane.connections.map(({ connection }) => connection));
  try {
    await tryServers(protocol, experiment, lanes, messages[0]!);
    const draw = drawOrder(inputs.length, load.seed);
    const begin = performance.now();
    const from = begin + load.warmupSeconds * 1000;
    const until = from + load.durationSeconds * 1000;
    const recorder = new Recorder(from, until, addresses.length);
    const bytesBefore = totalBytes(connections);
    let requests = 0;
    let inFlight = 0;
    let measuredInFlight = 0;
    let drained = () => {};

    const send = (laneIndex: number, dueAt: number) => {
      const lane = lanes[laneIndex]!;
      const { connection, server } = lane.connections[lane.next]!;
      lane.next = (lane.next + 1) % lane.connections.length;
      const input = draw();
      const measured = dueAt >= from;
      requests++;
      inFlight++;
      if (measured) measuredInFlight++;
      const sentAt = performance.now();
      connection.send(messages[input]!, (outcome) => {
        inFlight--;
        if (measured) measuredInFlight--;
        const { at } = outcome;
        if (outcome.reply === undefined && outcome.kind.startsWith("connection "))
          setTimeout(() => pacer.ended(laneIndex, performance.now()), reconnectPauseMs);
        else pacer.ended(laneIndex, at); // sends the next request first: checking must not keep the server waiting
        const ended: Ended = outcome.reply
          ? { dueAt, sentAt, at, server, ...check(protocol, outcome.reply, inputs[input]!) }
          : { dueAt, sentAt, at, server, failure: outcome };
        recorder.record(ended);
        if (inFlight === 0) drained();
      });
    };

    pacer.start(send, until);
    const ticking = setInterval(() => hooks.onTick?.(recorder.tick(performance.now())), 1000);
    const interrupted = once(hooks.signal);
    const reached = async (time: number) => {
      const waiting = delay(time - performance.now());
      await Promise.race([waiting.done, interrupted.done]);
      waiting.cancel();
      return process.cpuUsage();
    };
    const cpuFrom = await reached(from);
    const cpuUntil = await reached(until);
    const endedAt = hooks.signal?.aborted ? Math.min(performance.now(), until) : until;
    pacer.stop();
    clearInterval(ticking);
    interrupted.cancel();
    // Every request times out by itself, so the longer wait is only a bound in case one does not.
    const patience = delay(hooks.signal?.aborted ? interruptedGraceMs : timeoutMs + 1000);
    const drain = new Promise<void>((resolve) => {
      drained = resolve;
      if (inFlight === 0) resolve();
    });
    await Promise.race([drain, patience.done]);
    patience.cancel();

    const bytes = totalBytes(connections);
    const abandoned = measuredInFlight;
    const { achieved, ...recorded } = recorder.finish(endedAt, abandoned, addresses.map(authority));
    return {
      ...recorded,
      startedAt: instant(Math.min(from, endedAt)),
      endedAt: instant(endedAt),
      load: { requested: { ...load, timeoutSeconds: timeoutMs / 1000 }, achieved },
      bytesOnTheWire: {
        perRequest: requests ? (bytes.sent - bytesBefore.sent) / requests : 0,
        perReply: requests ? (bytes.received - bytesBefore.received) / requests : 0,
      },
      target,
      clientCpuSeconds: (cpuUntil.user + cpuUntil.system - cpuFrom.user - cpuFrom.system) / 1e6,
    };
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function connectLanes(
  protocol: Protocol,
  { addresses, target }: Experiment,
  lanes: number,
  timeoutMs: number,
): Promise<Lane[]> {
  const opened: Connection[] = [];
  const connect = async (server: number) => {
    const address = addresses[server]!;
    try {
      const connection = await protocol.connect(address, { timeoutMs, maxReplyBytes });
      opened.push(connection);
      return { connection, server };
    } catch (error) {
      throw new UserError(
        `Cannot connect to ${authority(address)}: ${(error as Error).message}.`,
        `Is the server up, and is ${address.port} its port for ${target.protocol}?`,
      );
    }
  };
  const plan = spread(lanes, addresses.length);
  const results = await Promise.allSettled(plan.map((servers) => Promise.all(servers.map(connect))));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) {
    for (const connection of opened) connection.close();
    throw failed.reason;
  }
  return results.map((result) => ({
    connections: (result as PromiseFulfilledResult<Lane["connections"]>).value,
    next: 0,
  }));
}

/** Sends one request to every server, so that a wrong model or shape is one clear sentence and not a run of failures. */
async function tryServers(
  protocol: Protocol,
  { addresses, inputs, target }: Experiment,
  lanes: Lane[],
  message: Message,
) {
  const all = lanes.flatMap((lane) => lane.connections);
  await Promise.all(
    addresses.map(async (address, server) => {
      const { connection } = all.find((candidate) => candidate.server === server)!;
      const outcome = await new Promise<Parameters<Parameters<Connection["send"]>[1]>[0]>((resolve) => {
        connection.send(message, resolve);
      });
      const failure = outcome.reply ? check(protocol, outcome.reply, inputs[0]!).failure : outcome;
      if (failure)
        throw new UserError(
          `The server ${authority(address)} did not answer the first request to model "${target.model}": ${failure.kind}: ${failure.detail}`,
        );
    }),
  );
}

/** Compares the class with the largest score with the labels of the input. */
function check(protocol: Protocol, reply: Buffer, input: Input): Pick<Ended, "failure" | "right"> {
  try {
    return { right: input.labels.has(argmax(protocol.scores(reply))) };
  } catch (error) {
    return { failure: { kind: "malformed reply", detail: (error as Error).message } };
  }
}

/** Index of the largest entry; -1 if there is none (nothing, or nothing but NaN). */
export function argmax(scores: ArrayLike<number>): number {
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! > highest) {
      highest = scores[i]!;
      best = i;
    }
  }
  return best;
}

function totalBytes(connections: readonly Connection[]): { sent: number; received: number } {
  let sent = 0;
  let received = 0;
  for (const connection of connections) {
    const bytes = connection.bytes();
    sent += bytes.sent;
    received += bytes.received;
  }
  return { sent, received };
}

const instant = (time: number): string => new Date(performance.timeOrigin + time).toISOString();

function delay(ms: number): { done: Promise<void>; cancel: () => void } {
  let timer: NodeJS.Timeout;
  const done = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(ms, 0) + 1); // Node rounds down and so would be early
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
