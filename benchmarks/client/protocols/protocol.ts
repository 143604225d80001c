import type { Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";

/**
 * How to talk to a kind of server. Everything that can be done once per input is done by `encode`, so that a request
 * costs no more than handing bytes to a socket.
 */
export interface Protocol {
  /**
   * The whole request for some inputs (a batch; one as a rule) of the same datatype and shape, ready to be sent any number
   * of times.
   */
  encode(batch: readonly Input[]): Message;
  /** A connection of its own to one server. Resolves once connected; rejects with the socket's error. */
  connect(address: Address, limits: Limits): Promise<Connection>;
  /**
   * The answers in a reply, one for each of the `count` inputs: the index of the class with the largest score, or the
   * name of the class where the server answers with text.
   *
   * @throws Error if the reply cannot be read, lacks the target's output, or does not have `count` answers
   */
  answers(reply: Buffer, count: number): (number | string)[];
}

export type ProtocolFactory = (target: Target, tls: Tls | undefined) => Protocol;

/** What the target's TLS files hold, read once for all connections. */
export interface Tls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly serverName?: string;
}

/** Encoded once; only the protocol that made it looks inside. */
export interface Message {
  readonly body: Buffer;
}

/** One server: its IP address as the sockets see it, and its port. */
export interface Address {
  readonly ip: string;
  readonly port: number;
}

export interface Limits {
  /** A request without a complete reply after this many milliseconds has failed. */
  readonly timeoutMs: number;
  /** Longest reply that is accepted, in bytes. */
  readonly maxReplyBytes: number;
}

/** One connection. It reopens itself when the server has closed it and a new request comes. */
export interface Connection {
  /** Sends a request; `done` is called exactly once, within the time limit, never before `send` has returned. */
  send(message: Message, done: (outcome: Outcome) => void): void;
  /** Bytes so far, over all sockets this connection has had. */
  bytes(): Transferred;
  /** Drops everything at once; requests under way fail. */
  close(): void;
}

export interface Transferred {
  /** TCP payload: bodies, headers, framing; under TLS the encrypted bytes. */
  readonly sent: number;
  readonly received: number;
  /** The messages alone: over gRPC with the five bytes before each. */
  readonly bodySent: number;
  readonly bodyReceived: number;
}

export const nothingTransferred: Transferred = { sent: 0, received: 0, bodySent: 0, bodyReceived: 0 };

export const addTransferred = (a: Transferred, b: Transferred): Transferred => ({
  sent: a.sent + b.sent,
  received: a.received + b.received,
  bodySent: a.bodySent + b.bodySent,
  bodyReceived: a.bodyReceived + b.bodyReceived,
});

export type Outcome = Answer | Failure;

/** A complete reply, at a time of the clock of `performance.now()`. */
export interface Answer {
  readonly at: number;
  readonly reply: Buffer;
}

export interface Failure {
  readonly at: number;
  readonly reply?: undefined;
  /**
   * `timeout`, `connection ECONNREFUSED` (or another code of the socket, of TLS, ERR_HTTP2, GOAWAY, or `lost`),
   * `grpc UNAVAILABLE`, `http 503`, `stream reset CANCEL`, `reply too large`, `malformed reply`.
   */
  readonly kind: string;
  /** What the server or the socket said. */
  readonly detail: string;
}

/** The kind of a failed socket. */
export const connectionKind = (error: Error): string => `connection ${(error as NodeJS.ErrnoException).code ?? "lost"}`;

/** `host:port`, with brackets around IPv6. */
export const authority = ({ ip, port }: Address): string => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
