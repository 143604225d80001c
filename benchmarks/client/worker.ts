import type http from "node:http";
import { UserError } from "../../error.ts";
import { now, toCoordinatorTime } from "./clock.ts";
import { Refusal, serve } from "./endpoint.ts";
import type { Experiment } from "./engine.ts";
import type { Input } from "./inputs.ts";
import type { Part, RateChange } from "./part.ts";
import { Rates } from "./rates.ts";
import type { Tick } from "./recorder.ts";
import { runThreads } from "./threads.ts";

/** What the coordinator sends to `POST /run`. */
export interface Order {
  readonly experiment: Omit<Experiment, "inputs">;
  readonly threads: number;
  /** How far the worker's clock is ahead of the coordinator's. */
  readonly clockOffsetMs: number;
}

/** A line of the answer to `POST /run`; empty lines between them are signs of life. */
export type Line =
  | { readonly ready: true }
  | { readonly tick: Tick }
  | { readonly parts: readonly Part[] }
  | { readonly error: string };

/** Between two signs of life. */
export const pulseMs = 1000;

export interface WorkerOptions {
  /** Address to listen on. */
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly inputs: readonly Input[];
  /** Without a call for this long the coordinator is gone for good. */
  readonly idleSeconds: number;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Told where it listens. */
  readonly onListen?: (port: number) => void;
}

/**
 * A worker pod: makes its share of the load when the coordinator says so and sends back what it measured.
 * `GET /clock`, `POST /run`, `POST /start` and `PUT /rate` (at a time of its own clock), `POST /stop` (end the run now), `POST /end` (leave).
 *
 * Returns once the coordinator has all it needs of it.
 *
 * @throws UserError if the coordinator has nothing measured, never comes, or goes away
 */
export async function work(options: WorkerOptions): Promise<void> {
  const { inputs, idleSeconds, say, signal } = options;
  const rates = new Rates();
  const stop = new AbortController();
  const startAt = Promise.withResolvers<number>();
  stop.signal.addEventListener("abort", () => startAt.resolve(now())); // a run that waits for its start ends too
  let calls = 0;
  let busy = 0;
  let runs = 0;
  let idle: NodeJS.Timeout | undefined;
  let leave: (error?: UserError) => void = () => {};
  const left = new Promise<void>((resolve, reject) => {
    leave = (error) => (error ? reject(error) : resolve());
  });
  const waitAgain = () => {
    clearTimeout(idle);
    idle = setTimeout(() => leave(new UserError(forsaken(calls, idleSeconds))), idleSeconds * 1000);
  };
  const onAbort = () => {
    stop.abort();
    leave(new UserError("The worker was told to end before the coordinator had all of it."));
  };
  const called =
    <T>(route: (body: T, response: http.ServerResponse) => unknown) =>
    async (body: unknown, response: http.ServerResponse) => {
      calls++;
      busy++;
      clearTimeout(idle);
      try {
        return await route(body as T, response);
      } finally {
        if (--busy === 0) waitAgain();
      }
    };

  const run = async ({ experiment, threads, clockOffsetMs }: Order, response: http.ServerResponse) => {
    if (runs++ > 0) throw new Refusal(409, "This worker has had its run.");
    const write = (line: Line | undefined) => response.write(line ? `${JSON.stringify(line)}\n` : "\n");
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    write(undefined);
    const pulse = setInterval(() => write(undefined), pulseMs);
    response.once("close", () => {
      if (response.writableFinished) return;
      stop.abort();
      leave(new UserError("The coordinator went away during the run."));
    });
    const { share } = experiment;
    say(`run of ${experiment.target.model}, part ${(share?.index ?? 0) + 1} of ${share?.of ?? 1}`);
    try {
      const parts = await runThreads({ ...experiment, inputs }, threads, {
        onReady: () => {
          write({ ready: true });
          return startAt.promise;
        },
        onTick: (tick) => write({ tick }),
        signal: stop.signal,
        rate: rates,
      });
      write({ parts: parts.map((part) => toCoordinatorTime(part, clockOffsetMs)) });
    } catch (error) {
      say((error as Error).stack ?? String(error));
      write({ error: (error as Error).message });
    } finally {
      clearInterval(pulse);
      response.end();
    }
  };

  const endpoint = await serve({
    ...options,
    routes: {
      "GET /clock": called(() => ({ now: now() })),
      "POST /run": called(run),
      "POST /start": called(({ at }: { at: number }) => startAt.resolve(at)),
      "PUT /rate": called(({ at, rate }: RateChange) => rates.push({ at, rate })),
      "POST /stop": called(() => stop.abort()),
      "POST /end": called(({ measured }: { measured: boolean }) => {
        const error = measured ? undefined : new UserError("The coordinator could not measure; its log says why.");
        setImmediate(leave, error); // after the answer
      }),
    },
  });
  signal?.addEventListener("abort", onAbort, { once: true });
  options.onListen?.(endpoint.port);
  waitAgain();
  try {
    await left;
  } finally {
    stop.abort();
    clearTimeout(idle);
    signal?.removeEventListener("abort", onAbort);
    await endpoint.close();
  }
}

function forsaken(calls: number, seconds: number): string {
  return calls === 0
    ? `No coordinator has called this worker within ${seconds} s. The benchmark Job's log says what it waited for.`
    : `The coordinator has not called this worker again for ${seconds} s.`;
}
