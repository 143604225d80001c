import type { Load } from "../spec.ts";
import { now } from "./clock.ts";
import { Refusal, serve } from "./endpoint.ts";
import type { Rates } from "./rates.ts";
import type { Tick } from "./recorder.ts";

/** A new rate takes effect this much later, in all threads and pods at the same time, so that all have heard of it by then. */
const leadMs = 1000;
const maxRate = 1e6;

export interface Control {
  readonly port: number;
  /** To be called with what happened in each second. */
  tick(tick: Tick): void;
  /** Ends the endpoint. */
  close(): Promise<void>;
}

/** What `GET /status` answers; the figures are those of the last second. */
export type Status = { readonly phase: "waiting" | "warm-up" | "measuring" } & Partial<Tick>;

/**
 * Lets who has the token see how a run goes and, in an open loop, change its rate:
 * `GET /status`, and `PUT /rate` with `{"rate": requests per second}`.
 *
 * @param options.rates hears of every change; the run has to listen to it
 */
export async function startControl(options: {
  host: string;
  port: number;
  token: string;
  load: Load;
  rates: Rates;
}): Promise<Control> {
  const { load, rates, ...place } = options;
  let last: Tick | undefined;
  const status = (): Status =>
    last ? { phase: last.seconds < 0 ? "warm-up" : "measuring", ...last } : { phase: "waiting" };
  const setRate = (body: unknown) => {
    if (load.mode !== "open")
      throw new Refusal(409, `${modes[load.mode]} Only the rate of an open loop can be changed while it runs.`);
    const rate = rateIn(body);
    const at = now() + leadMs;
    rates.push({ at, rate });
    return { rate, effectiveAt: new Date(at).toISOString() };
  };
  const endpoint = await serve({ ...place, routes: { "GET /status": status, "PUT /rate": setRate } });
  return {
    port: endpoint.port,
    tick: (tick) => {
      last = tick;
    },
    close: endpoint.close,
  };
}

const modes = {
  closed: "This load is a closed loop: how many requests it sends follows from its clients and from the server.",
  mlperf: "This load is a scenario of MLPerf, which says when requests are sent.",
};

function rateIn(body: unknown): number {
  const rate = (body as { rate?: unknown } | undefined)?.rate;
  if (typeof rate === "number" && rate > 0 && rate <= maxRate) return rate;
  const found = rate === undefined ? "there is none" : `it is ${JSON.stringify(rate)}`;
  throw new Refusal(
    400,
    `"rate" must be a number above 0 and at most ${maxRate}, in requests per second, such as {"rate": 200}; ${found}.`,
  );
}
