import type { Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";
import { Deadlines, type Due } from "./deadlines.ts";
import type { HeaderList } from "./hpack.ts";
import { Http2Session, Stream } from "./http2.ts";
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
import { dial } from "./tls.ts";

/** What makes a protocol over gRPC: one unary method and its messages. */
export interface GrpcMethod {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The request message for a batch, without gRPC's frame. Called once per batch, not per request. */
  encode(batch: readonly Input[]): Uint8Array;
  /**
   * What a reply message (without gRPC's frame) answers.
   *
   * @throws Error with one sentence if it does not
   */
  answers(message: Buffer, count: number): (number | string)[];
  /** Metadata of every request; those of the target come over it. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const statusNames = [
  ..."OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED".split(" "),
  ..."RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE".split(" "),
  ..."DATA_LOSS UNAUTHENTICATED".split(" "),
];

/** Bytes before a message: whether it is compressed, and its length. */
const frameHead = 5;

export function grpcProtocol(target: Target, tls: Tls | undefined, method: GrpcMethod): Protocol {
  return {
    encode(batch): Message {
      const message = method.encode(batch);
      const body = Buffer.allocUnsafe(frameHead + message.length);
      body.writeUInt8(0, 0);
      body.writeUInt32BE(message.length, 1);
      body.set(message, frameHead);
      return { body };
    },
    answers: (reply, count) => method.answers(unframe(reply), count),
    async connect(address, limits) {
      const connection = new GrpcConnection(address, limits, tls, headersOf(target, tls, method, address));
      await connection.open();
      return connection;
    },
  };
}

function headersOf(target: Target, tls: Tls | undefined, method: GrpcMethod, address: Address): HeaderList {
  const metadata = new Map<string, string>();
  for (const headers of [method.metadata, target.headers])
    for (const [name, value] of Object.entries(headers ?? {})) metadata.set(name.toLowerCase(), value);
  return [
    ...[":method", "POST", ":scheme", tls ? "https" : "http", ":path", method.path],
    ...[":authority", target.authority ?? authority(address), "te", "trailers", "content-type", "application/grpc"],
    ...[...metadata].flat(),
  ];
}

function unframe(reply: Buffer): Buffer {
  if (reply.length < frameHead || reply.readUInt32BE(1) !== reply.length - frameHead)
    throw new Error("not one whole gRPC message");
  if (reply[0] !== 0) throw new Error("a compressed gRPC message, which was not asked for");
  return reply.subarray(frameHead);
}

class GrpcConnection implements Connection {
  readonly #address: Address;
  readonly #limits: Limits;
  readonly #tls: Tls | undefined;
  readonly #headers: HeaderList;
  readonly #calls: Deadlines<Call>;
  /** The session that takes new calls. */
  #session: Http2Session | undefined;
  /** Calls that wait for a session that is being opened. */
  #queued: Call[] | undefined;
  /** All sessions that are not closed yet, and what the closed ones have transferred. */
  readonly #counted = new Set<() => Transferred>();
  #before = nothingTransferred;
  readonly #open = new Set<() => void>();
  #closed = false;

  constructor(address: Address, limits: Limits, tls: Tls | undefined, headers: HeaderList) {
    this.#address = address;
    this.#limits = limits;
    this.#tls = tls;
    this.#headers = headers;
    this.#calls = new Deadlines((call) => {
      call.session?.cancel(call);
      call.fail("timeout", `no complete reply within ${limits.timeoutMs} ms`);
    });
  }

  async open(): Promise<Http2Session> {
    const link = dial(this.#address, "h2", this.#tls);
    let session: Http2Session | undefined;
    const count = () => ({
      sent: link.raw.bytesWritten,
      received: link.raw.bytesRead,
      bodySent: session?.bodySent ?? 0,
      bodyReceived: session?.bodyReceived ?? 0,
    });
    const drop = () => {
      link.socket.destroy();
      link.raw.destroy();
    };
    this.#counted.add(count);
    this.#open.add(drop);
    link.raw.once("close", () => {
      this.#before = addTransferred(this.#before, count());
      this.#counted.delete(count);
      this.#open.delete(drop);
    });
    session = await Http2Session.open(link, this.#headers, this.#limits.timeoutMs);
    this.#session = session;
    return session;
  }

  send(message: Message, done: (outcome: Outcome) => void): void {
    const { timeoutMs, maxReplyBytes } = this.#limits;
    const call = new Call(message.body, done, this.#calls, maxReplyBytes, performance.now() + timeoutMs);
    this.#calls.add(call, timeoutMs);
    const session = this.#session;
    if (session && !session.retired) {
      call.session = session;
      session.request(call);
    } else if (this.#queued) this.#queued.push(call);
    else {
      this.#queued = [call];
      this.#reopen();
    }
  }

  /** Opens a session for the calls that wait; they fail if that fails. */
  #reopen(): void {
    const take = () => {
      const calls = this.#queued!.filter((call) => !call.ended);
      this.#queued = undefined;
      return calls;
    };
    const opening = this.#closed ? Promise.reject(new Error("the client closed the connection")) : this.open();
    opening.then(
      (session) => {
        for (const call of take()) {
          call.session = session;
          if (session.retired) call.onLost(new Error("the server closed the connection"));
          else session.request(call);
        }
      },
      (error: Error) => {
        for (const call of take()) call.onLost(error);
      },
    );
  }

  bytes(): Transferred {
    let total = this.#before;
    for (const count of this.#counted) total = addTransferred(total, count());
    return total;
  }

  close(): void {
    this.#closed = true;
    const calls = this.#calls.drain();
    this.#session?.close();
    for (const drop of this.#open) drop();
    for (const call of calls) if (!call.ended) call.onLost(new Error("the client closed the connection"));
  }
}

class Call extends Stream implements Due {
  readonly deadline: number;
  session: Http2Session | undefined;
  readonly #done: (outcome: Outcome) => void;
  readonly #calls: Deadlines<Call>;
  readonly #maxReplyBytes: number;
  #data: Buffer | undefined;
  #more: Buffer[] | undefined;
  #received = 0;
  #http = "";
  #status: string | undefined;
  #message = "";
  #told = false;

  constructor(
    body: Buffer,
    done: (outcome: Outcome) => void,
    calls: Deadlines<Call>,
    maxReplyBytes: number,
    deadline: number,
  ) {
    super(body);
    this.#done = done;
    this.#calls = calls;
    this.#maxReplyBytes = maxReplyBytes;
    this.deadline = deadline;
  }

  fail(kind: string, detail: string): void {
    this.#finish({ at: performance.now(), kind, detail });
  }

  #finish(outcome: Outcome): void {
    this.ended = true;
    if (this.#told) return;
    this.#told = true;
    this.#calls.remove(this);
    this.#done(outcome);
  }

  override onHeaders(list: HeaderList): void {
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i];
      if (name === ":status") this.#http = list[i + 1]!;
      else if (name === "grpc-status") this.#status = list[i + 1]!;
      else if (name === "grpc-message") this.#message = decodeMessage(list[i + 1]!);
    }
    if (this.#http === "200" || this.#status !== undefined || this.#http.startsWith("1")) return;
    this.session!.cancel(this);
    this.fail(`http ${this.#http}`, `the server answered with HTTP status ${this.#http} instead of a gRPC reply`);
  }

  override onData(data: Buffer): void {
    this.#received += data.length;
    if (this.#received > this.#maxReplyBytes) {
      this.session!.cancel(this);
      this.fail("reply too large", `more than ${this.#maxReplyBytes} bytes`);
    } else if (!this.#data) this.#data = data;
    else if (!this.#more) this.#more = [this.#data, data];
    else this.#more.push(data);
  }

  override onEnd(): void {
    const at = performance.now();
    if (this.#status === undefined) this.fail("malformed reply", "the reply ended without a gRPC status");
    else if (this.#status !== "0") {
      const name = statusNames[Number(this.#status)] ?? this.#status.slice(0, 20);
      this.#finish({ at, kind: `grpc ${name}`, detail: this.#message });
    } else {
      const reply = this.#more ? Buffer.concat(this.#more, this.#received) : (this.#data ?? Buffer.alloc(0));
      this.#finish({ at, reply });
    }
  }

  override onReset(code: string): void {
    this.fail(`stream reset ${code}`, `the server gave the request up (RST_STREAM ${code})`);
  }

  override onLost(error: Error): void {
    this.fail(connectionKind(error), error.message);
  }
}

/** gRPC percent-encodes the message in the header. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
