import type { ServerResponse } from "node:http";
import type { Load } from "../spec.ts";
import { now } from "./clock.ts";
import { Refusal, serve } from "./endpoint.ts";
import { loadInWords } from "./output/load.ts";
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

/** What `GET /ticks` answers. */
export interface Ticks {
  readonly phase: Status["phase"];
  /** The load in words, and whether its rate can be changed. */
  readonly load: string;
  readonly isRateOpen: boolean;
  /** Seconds later than `after`, in order of time. */
  readonly ticks: readonly Tick[];
}

/** An hour; what is older is in the result. */
const keptTicks = 3600;

/**
 * Lets everybody see how a run goes (`GET /status`, `GET /ticks?after=SECONDS`, and `GET /`, the live page) and who has the token
 * change the rate of an open loop (`PUT /rate` with `{"rate": requests per second}`).
 *
 * @param options.rates hears of every change; the run has to listen to it
 * @param options.page the live page, as HTML; absent: there is none
 */
export async function startControl(options: {
  host?: string;
  port: number;
  token: string;
  load: Load;
  rates: Rates;
  page?: string;
}): Promise<Control> {
  const { load, rates, page, ...place } = options;
  const ticks: Tick[] = [];
  const status = (): Status => {
    const last = ticks.at(-1);
    return last ? { phase: last.seconds < 0 ? "warm-up" : "measuring", ...last } : { phase: "waiting" };
  };
  const ticksAfter = (_: unknown, __: unknown, query: URLSearchParams): Ticks => {
    const after = Number(query.get("after") ?? Number.NEGATIVE_INFINITY);
    const { phase } = status();
    const isRateOpen = load.mode === "open";
    return { phase, load: loadInWords(load), isRateOpen, ticks: ticks.filter(({ seconds }) => seconds > after) };
  };
  const setRate = (body: unknown) => {
    if (load.mode !== "open")
      throw new Refusal(409, `${modes[load.mode]} Only the rate of an open loop can be changed while it runs.`);
    const rate = rateIn(body);
    const at = now() + leadMs;
    rates.push({ at, rate });
    return { rate, effectiveAt: new Date(at).toISOString() };
  };
  const endpoint = await serve({
    ...place,
    routes: { "PUT /rate": setRate },
    open: {
      ...(page === undefined ? {} : { "GET /": (_, response) => sendPage(response, page) }),
      "GET /status": status,
      "GET /ticks": ticksAfter,
    },
  });
  return {
    port: endpoint.port,
    tick: (tick) => {
      ticks.push(tick);
      if (ticks.length > keptTicks) ticks.shift();
    },
    close: endpoint.close,
  };
}

/** It may run its own script and speak to this endpoint, and nothing else. */
const policy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'";

function sendPage(response: ServerResponse, page: string): void {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
  response.end(page);
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
