import http from "node:http";
import { UserError } from "../../error.ts";
import type { WorkerSet } from "../spec.ts";
import { measureOffset, now } from "./clock.ts";
import type { Experiment, Hooks } from "./engine.ts";
import type { Kubernetes, Pod } from "./kubernetes.ts";
import type { Part } from "./part.ts";
import { mergeTicks, type Tick } from "./recorder.ts";
import type { WaitOptions } from "./servers.ts";
import type { Line, Order } from "./worker.ts";
import { fateOf, waitForWorkers } from "./workerPods.ts";

/** From the orders to the start of the warm-up: workers start their threads and encode the inputs. */
const leadMs = 3000;
const callTimeoutMs = 5000;
/** A worker that has not given a sign of life for this long is lost. */
const silenceMs = 10_000;
/** A container runs before its program listens. */
const connectAttempts = 40;
const connectPauseMs = 250;

/** What came back from the workers. */
export interface Gathered {
  readonly parts: readonly Part[];
  /** A sentence on each worker whose part is missing. */
  readonly lost: readonly string[];
}

/** Worker pods that are there and listen. */
export class Workers {
  readonly #kubernetes: Kubernetes;
  readonly #set: WorkerSet;
  readonly #workers: readonly Worker[];

  private constructor(kubernetes: Kubernetes, set: WorkerSet, workers: readonly Worker[]) {
    this.#kubernetes = kubernetes;
    this.#set = set;
    this.#workers = workers;
  }

  /**
   * Waits for the pods and measures how far their clocks are ahead.
   *
   * @throws UserError if they do not come, do not answer, or do not take the token
   */
  static async gather(kubernetes: Kubernetes, set: WorkerSet, token: string, options: WaitOptions): Promise<Workers> {
    const pods = await waitForWorkers(kubernetes, set, options);
    const workers = pods.map((pod) => new Worker(pod, set.port, token));
    await Promise.all(workers.map((worker) => worker.meet()));
    for (const { name, offsetMs } of workers)
      options.say(`worker ${name}: its clock is ${offsetMs.toFixed(2)} ms ahead of the coordinator's`);
    return new Workers(kubernetes, set, workers);
  }

  /**
   * Lets all of them run the experiment, each its share, from one moment on. A worker that is lost on the way does not hold up
   * the others. Never rejects for a lost worker.
   */
  async run(experiment: Experiment, threads: number, hooks: Hooks): Promise<Gathered> {
    const { inputs: _, ...told } = experiment; // each worker has its own
    const startAt = Math.ceil(now() + leadMs);
    const of = this.#workers.length;
    const latest = new Map<Worker, Tick>();
    const stop = () => {
      for (const worker of this.#workers) worker.post("/stop").catch(() => {}); // a lost one is noticed by its run
    };
    hooks.signal?.addEventListener("abort", stop, { once: true });
    const unsubscribe = hooks.rate?.subscribe(({ at, rate }) => {
      for (const worker of this.#workers)
        worker
          .call("PUT", "/rate", { at: at + worker.offsetMs, rate })
          .catch((error: Error) => worker.giveUp(`it did not get a change of the rate: ${error.message}`));
    });
    const ticking = setInterval(() => latest.size > 0 && hooks.onTick?.(mergeTicks([...latest.values()])), 1000);
    try {
      const outcomes = await Promise.all(
        this.#workers.map((worker, index) => {
          const order = { experiment: { ...told, startAt, share: { index, of } }, threads };
          return worker
            .run(order, (tick) => latest.set(worker, tick))
            .then(
              (parts) => ({ parts }),
              async (error: Error) => {
                latest.delete(worker);
                return { lost: await this.#sentence(worker, error) };
              },
            );
        }),
      );
      return {
        parts: outcomes.flatMap((outcome) => ("parts" in outcome ? outcome.parts : [])),
        lost: outcomes.flatMap((outcome) => ("lost" in outcome ? [outcome.lost] : [])),
      };
    } finally {
      clearInterval(ticking);
      unsubscribe?.();
      hooks.signal?.removeEventListener("abort", stop);
    }
  }

  async #sentence({ name }: Worker, error: Error): Promise<string> {
    if (error instanceof UserError) return `Worker pod ${name} could not measure: ${error.message}`;
    const fate = await fateOf(this.#kubernetes, this.#set, name);
    return `Worker pod ${name} was lost during the run: ${error.message}; ${fate}. What it measured is missing.`;
  }

  /** Sends them home. `measured`: whether there is a result. */
  async end(measured: boolean): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.post("/end", { measured }).catch(() => {}))); // a lost one is gone
  }
}

/** One of them, as the coordinator sees it. */
class Worker {
  readonly name: string;
  readonly #place: { host: string; port: number };
  readonly #token: string;
  readonly #agent = new http.Agent({ keepAlive: true });
  #running: http.ClientRequest | undefined;
  #offsetMs = 0;

  constructor({ metadata, status }: Pod, port: number, token: string) {
    this.name = metadata.name;
    this.#place = { host: status.podIP!, port };
    this.#token = token;
  }

  /** How far its clock is ahead of this one. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  async meet(): Promise<void> {
    for (let attempt = 1; ; attempt++)
      try {
        this.#offsetMs = await measureOffset(async () => ((await this.call("GET", "/clock")) as { now: number }).now);
        return;
      } catch (error) {
        if (error instanceof UserError || attempt === connectAttempts)
          throw new UserError(
            `Nothing was measured: worker pod ${this.name} does not answer: ${(error as Error).message}`,
          );
        await new Promise((next) => setTimeout(next, connectPauseMs));
      }
  }

  /** Rejects with a UserError if the worker says why it could not, and with another Error if it is lost. */
  run(order: Omit<Order, "clockOffsetMs">, onTick: (tick: Tick) => void): Promise<readonly Part[]> {
    return new Promise((resolve, reject) => {
      const request = this.#request("POST", "/run", { ...order, clockOffsetMs: this.#offsetMs }, silenceMs);
      this.#running = request;
      let rest = "";
      request.on("timeout", () => this.giveUp(`no word from it for ${silenceMs / 1000} s`));
      request.on("error", (error) => reject(error));
      request.on("response", (response) => {
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          const lines = (rest + chunk).split("\n");
          rest = lines.pop()!;
          for (const line of lines.filter(Boolean)) {
            const said = JSON.parse(line) as Line;
            if ("tick" in said) onTick(said.tick);
            else if ("parts" in said) resolve(said.parts);
            else reject(new UserError(said.error));
          }
        });
        response.on("error", (error) => reject(error));
        response.on("close", () => reject(new Error("its connection ended"))); // of no effect after its parts
      });
    });
  }

  /** Ends its run as lost. */
  giveUp(why: string): void {
    this.#running?.destroy(new Error(why));
  }

  post(path: string, body?: unknown): Promise<unknown> {
    return this.call("POST", path, body);
  }

  /** Rejects with a UserError if the worker refuses, and with the socket's error if it cannot be reached. */
  call(method: string, path: string, body?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request = this.#request(method, path, body, callTimeoutMs);
      request.on("timeout", () => request.destroy(new Error(`no answer within ${callTimeoutMs / 1000} s`)));
      request.on("error", reject);
      request.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          const answer = text ? JSON.parse(text) : undefined;
          if (response.statusCode! < 300) resolve(answer);
          else reject(new UserError(answer?.error ?? `HTTP ${response.statusCode}`));
        });
      });
    });
  }

  #request(method: string, path: string, body: unknown, timeout: number): http.ClientRequest {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const request = http.request({
      ...this.#place,
      method,
      path,
      timeout,
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(text && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      },
    });
    request.end(text);
    return request;
  }
}
