import http from "node:http";
import { UserError } from "../../error.ts";
import { measureOffset } from "./clock.ts";
import type { Pod } from "./kubernetes.ts";
import type { Part } from "./part.ts";
import type { Tick } from "./recorder.ts";
import type { Line, Order } from "./worker.ts";

const callTimeoutMs = 5000;
/** A worker that has not given a sign of life for this long is lost. */
const silenceMs = 10_000;
/** A container runs before its program listens. */
const connectAttempts = 40;
const connectPauseMs = 250;

/** What a worker has said of its run. */
export interface WorkerRun {
  /** Connected and tried. */
  readonly ready: Promise<void>;
  readonly parts: Promise<readonly Part[]>;
  /** Its last second. */
  tick: Tick | undefined;
}

/** A worker pod, as the coordinator sees it. */
export class RemoteWorker {
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

  /**
   * Waits until it listens, and measures its clock.
   *
   * @throws UserError if it does not, or does not take the token
   */
  async meet(): Promise<void> {
    for (let attempt = 1; ; attempt++)
      try {
        this.#offsetMs = await measureOffset(async () => ((await this.call("GET", "/clock")) as { now: number }).now);
        return;
      } catch (error) {
        if (error instanceof UserError || attempt === connectAttempts)
          throw new UserError(
            `Nothing was measured: worker pod ${this.name} does not answer as it should: ${(error as Error).message}`,
          );
        await new Promise((next) => setTimeout(next, connectPauseMs));
      }
  }

  /** Both promises reject with a UserError if the worker says why it could not, and with another Error if it is lost. */
  run(order: Omit<Order, "clockOffsetMs">): WorkerRun {
    const ready = Promise.withResolvers<void>();
    const parts = Promise.withResolvers<readonly Part[]>();
    const run: WorkerRun = { ready: ready.promise, parts: parts.promise, tick: undefined };
    const fail = (error: Error) => {
      ready.reject(error);
      parts.reject(error);
    };
    for (const promise of [run.ready, run.parts]) promise.catch(() => {}); // whoever awaits it hears of it
    const heard = (line: Line) => {
      if ("ready" in line) ready.resolve();
      else if ("tick" in line) run.tick = line.tick;
      else if ("parts" in line) parts.resolve(line.parts);
      else fail(new UserError(line.error));
    };
    const request = this.#request("POST", "/run", { ...order, clockOffsetMs: this.#offsetMs }, silenceMs);
    this.#running = request;
    request.on("timeout", () => this.giveUp(`no word from it for ${silenceMs / 1000} s`));
    request.on("error", fail);
    request.on("response", (response) => {
      let rest = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        for (const line of lines) if (line) heard(JSON.parse(line));
      });
      const ended = () => fail(new Error("its connection ended")); // of no effect after its parts
      response.on("error", ended).on("close", ended);
    });
    return run;
  }

  /** Ends its run as lost. */
  giveUp(why: string): void {
    this.#running?.destroy(new Error(why));
  }

  /** Rejects with a UserError if the worker refuses, and with the socket's error if it cannot be reached. */
  call(method: "GET" | "POST" | "PUT", path: string, body?: unknown): Promise<unknown> {
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
          if (response.statusCode! < 300) resolve(text ? JSON.parse(text) : undefined);
          else reject(new UserError(errorIn(text) ?? `HTTP ${response.statusCode}`));
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

function errorIn(text: string): string | undefined {
  try {
    return JSON.parse(text).error;
  } catch {
    return undefined; // something else listens there
  }
}
