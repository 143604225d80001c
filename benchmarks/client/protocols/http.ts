import type { Dispatcher } from "undici";
import Client from "undici/lib/dispatcher/client.js";
import type { Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";
import { Deadlines, type Due } from "./deadlines.ts";
import {
  type Address,
  addTransferred,
  authority,
  type Connection,
  connectionKind,
  type Limits,
  type Message,
  nothingTransferred,
  type Outcome,
  type Protocol,
  type Tls,
  type Transferred,
} from "./protocol.ts";
import { dial, explain, type Link, ready } from "./tls.ts";

/** What makes a protocol over HTTP/1.1: where to POST, and its messages. */
export interface HttpMethod {
  /** Path of the POST, beginning with "/"; the target's `pathPrefix` is put before it. */
  readonly path: string;
  /** The body for a batch and headers that belong to it. Called once per batch, not per request. */
  encode(batch: readonly Input[]): { readonly body: Buffer; readonly headers?: Readonly<Record<string, string>> };
  /**
   * What the body of a reply with status 200 answers.
   *
   * @param header value of `replyHeader` in the reply
   * @throws Error with one sentence if it does not
   */
  answers(body: Buffer, count: number, header: string | undefined): (number | string)[];
  /** Lower-case name of a header of the reply that `answers` needs. */
  readonly replyHeader?: string;
}

interface HttpMessage extends Message {
  readonly options: Dispatcher.DispatchOptions;
}

export function httpProtocol(target: Target, tls: Tls | undefined, method: HttpMethod): Protocol {
  const path = (target.pathPrefix ?? "").replace(/\/+$/, "") + method.path;
  return {
    encode(batch): HttpMessage {
      const { body, headers } = method.encode(batch);
      const all = lowerCase({ "content-type": "application/json", ...headers }, target.headers);
      if (target.authority) all["host"] = target.authority;
      return { body, options: { method: "POST", path, headers: Object.entries(all).flat(), body } };
    },
    answers: method.replyHeader
      ? (reply, count) => method.answers(reply, count, headerOf.get(reply))
      : (reply, count) => method.answers(reply, count, undefined),
    async connect(address, limits) {
      const connection = new HttpConnection(address, limits, tls, method.replyHeader);
      await connection.open();
      return connection;
    },
  };
}

/** The header that a reply came with, where its protocol needs one: the engine carries nothing but the reply. */
const headerOf = new WeakMap<Buffer, string>();

function lowerCase(...all: (Readonly<Record<string, string>> | undefined)[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const headers of all)
    for (const [name, value] of Object.entries(headers ?? {})) result[name.toLowerCase()] = value;
  return result;
}

/** One keep-alive connection. A request that comes while another is under way waits for its reply. */
class HttpConnection implements Connection {
  readonly limits: Limits;
  readonly replyHeader: string | undefined;
  readonly calls: Deadlines<Call>;
  readonly address: Address;
  bodySent = 0;
  bodyReceived = 0;
  lastError: Error | undefined;
  readonly #tls: Tls | undefined;
  readonly #client: InstanceType<typeof Client>;
  /** The first link, open before there is a request. */
  #spare: Link | undefined;
  readonly #links = new Set<Link>();
  #before = nothingTransferred;

  constructor(address: Address, limits: Limits, tls: Tls | undefined, replyHeader: string | undefined) {
    this.address = address;
    this.limits = limits;
    this.replyHeader = replyHeader;
    this.#tls = tls;
    this.calls = new Deadlines((call) => call.late());
    this.#client = new Client(`${tls ? "https" : "http"}://${authority(address)}`, {
      // With 1 undici waits for a turn of the event loop before each request; it never sends a POST behind one under way.
      pipelining: 2,
      // The requests' own time limit is the only one.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 3_600_000,
      keepAliveMaxTimeout: 3_600_000,
      connect: (_options, callback) => {
        const spare = this.#spare;
        this.#spare = undefined;
        if (spare && !spare.socket.destroyed)
          process.nextTick(callback, null, spare.socket); // not at once: undici is still preparing
        else
          this.#dial().then(
            ({ socket }) => callback(null, socket),
            (error: Error) => callback(error, null),
          );
      },
    });
  }

  async open(): Promise<void> {
    this.#spare = await this.#dial();
  }

  async #dial(): Promise<Link> {
    const link = dial(this.address, "http/1.1", this.#tls);
    this.#links.add(link);
    link.raw.once("close", () => {
      this.#links.delete(link);
      this.#before = addTransferred(this.#before, counted(link));
    });
    await ready(link, "http/1.1", this.limits.timeoutMs);
    // undici hears of it too, unless it comes before undici has the socket, as the end of TLS 1.3's handshake may.
    this.lastError = undefined;
    const failed = (error: NodeJS.ErrnoException) => {
      if (error.code && !/^(UND|HPE)_/.test(error.code)) this.lastError = error; // others are undici's own
    };
    link.socket.on("error", failed);
    link.raw.on("error", failed);
    return link;
  }

  send(message: Message, done: (outcome: Outcome) => void): void {
    const call = new Call(this, done, performance.now() + this.limits.timeoutMs);
    this.calls.add(call, this.limits.timeoutMs);
    this.bodySent += message.body.length;
    this.#client.dispatch((message as HttpMessage).options, call);
  }

  bytes(): Transferred {
    let total: Transferred = { ...this.#before, bodySent: this.bodySent, bodyReceived: this.bodyReceived };
    for (const link of this.#links) total = addTransferred(total, counted(link));
    return total;
  }

  close(): void {
    const calls = this.calls.drain();
    for (const { socket, raw } of this.#links) {
      socket.destroy();
      raw.destroy();
    }
    void this.#client.destroy();
    for (const call of calls) call.fail("connection lost", "the client closed the connection");
  }
}

const counted = ({ raw }: Link): Transferred => ({
  ...nothingTransferred,
  sent: raw.bytesWritten,
  received: raw.bytesRead,
});

/** A request under way. */
class Call implements Dispatcher.DispatchHandler, Due {
  readonly deadline: number;
  readonly #connection: HttpConnection;
  readonly #done: (outcome: Outcome) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #ended = false;
  #http = 0;
  #header: string | undefined;
  #data: Buffer | undefined;
  #more: Buffer[] | undefined;
  #received = 0;

  constructor(connection: HttpConnection, done: (outcome: Outcome) => void, deadline: number) {
    this.#connection = connection;
    this.#done = done;
    this.deadline = deadline;
  }

  fail(kind: string, detail: string): void {
    this.#finish({ at: performance.now(), kind, detail });
  }

  late(): void {
    this.fail("timeout", `no complete reply within ${this.#connection.limits.timeoutMs} ms`);
    this.#controller?.abort(abandoned);
  }

  #finish(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.calls.remove(this);
    this.#done(outcome);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(abandoned); // its time was over before its turn came
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#http = status;
    const { replyHeader } = this.#connection;
    if (replyHeader) this.#header = headers[replyHeader] as string | undefined;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#received += chunk.length;
    this.#connection.bodyReceived += chunk.length;
    if (this.#received > this.#connection.limits.maxReplyBytes) {
      this.fail("reply too large", `more than ${this.#connection.limits.maxReplyBytes} bytes`);
      controller.abort(abandoned);
    } else if (!this.#data) this.#data = chunk;
    else if (!this.#more) this.#more = [this.#data, chunk];
    else this.#more.push(chunk);
  }

  onResponseEnd(): void {
    const at = performance.now();
    const reply = this.#more ? Buffer.concat(this.#more, this.#received) : (this.#data ?? Buffer.alloc(0));
    if (this.#http !== 200) {
      this.#finish({ at, kind: `http ${this.#http}`, detail: errorText(reply) });
      return;
    }
    if (this.#header !== undefined) headerOf.set(reply, this.#header);
    this.#finish({ at, reply });
  }

  /** The next request may come from within `done`, and undici must have put the failed connection away before. */
  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    process.nextTick(() => this.#broke(error));
  }

  #broke(error: Error): void {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (error.name === "HTTPParserError" || brokenReply.has(code)) this.fail("malformed reply", notHttp(error));
    else {
      const lost = this.#connection.lastError ?? new Error("the server closed the connection");
      const cause = code === "" || code.startsWith("UND_ERR_") ? lost : error;
      this.fail(connectionKind(cause), explain(cause).message);
    }
  }
}

/** Codes of undici for replies that break HTTP; its other ones say that the socket is gone. */
const brokenReply = new Set([
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE",
]);

/** Tells undici that nobody waits for a reply any more; it is never shown. */
const abandoned = new Error("abandoned");

/** What comes to a client that takes a server of something else for HTTP/1.1. */
function notHttp(error: Error): string {
  return `the reply is not HTTP/1.1 (${error.message}); this may not be the server's REST port, or it needs \`tls\``;
}

/** Servers say what is wrong as `{"error": "..."}` or in `status.info`; other replies are shown as text, shortened. */
function errorText(reply: Buffer): string {
  const text = reply.toString("utf8", 0, 4096);
  try {
    const { error, status } = JSON.parse(text) ?? {};
    for (const said of [error, status?.info, status?.reason])
      if (typeof said === "string" && said) return said.slice(0, 300);
  } catch {
    // not JSON
  }
  return text
    .replace(/<style.*?<\/style>|<[^>]*>/gs, " ") // pages that proxies make
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 300);
}
