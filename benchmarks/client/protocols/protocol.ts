import type { Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";

/**
 * How to talk to a kind of server. Everything that can be done once per input is done by `encode`, so that a request
 * costs no more than handing bytes to a socket.
 */
export interface Protocol {
  /** The whole request for one input, ready to be sent any number of times. */
  encode(input: Input): Message;
  /** A connection of its own to one server. Resolves once connected; rejects with the socket's error. */
  connect(address: Address, limits: Limits): Promise<Connection>;
  /**
   * Scores of the target's output tensor in a reply, in the order of the classes.
   *
   * @throws Error if the reply cannot be read or lacks that tensor
   */
  scores(reply: Buffer): ArrayLike<number>;
}

export type ProtocolFactory = (target: Target) => Protocol;

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
  /** Bytes of TCP payload so far, over all sockets this connection has had. */
  bytes(): { readonly sent: number; readonly received: number };
  /** Drops everything at once; requests under way fail. */
  close(): void;
}

export type Outcome = Answer | Failure;

/** A complete reply, at a time of the clock of `performance.now()`. */
export interface Answer {
  readonly at: number;
  readonly reply: Buffer;
}

export interface Failure {
  readonly at: number;
  readonly reply?: undefined;
  /** `timeout`, `connection ECONNREFUSED`, `grpc UNAVAILABLE`, `http 503`, `reply too large`, `malformed reply`. */
  readonly kind: string;
  /** What the server or the socket said. */
  readonly detail: string;
}

/** The kind of a failed socket. */
export const connectionKind = (error: Error): string => `connection ${(error as NodeJS.ErrnoException).code ?? "lost"}`;

/** `host:port`, with brackets around IPv6. */
export const authority = ({ ip, port }: Address): string => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
