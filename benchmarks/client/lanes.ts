import { UserError } from "../../error.ts";
import type { Target } from "../spec.ts";
import { spread } from "./addresses.ts";
import type { Batches } from "./batches.ts";
import { multiplexed } from "./pacer.ts";
import type { Pacer } from "./pacers/pacer.ts";
import { ReplyFault } from "./protocols/fault.ts";
import {
  type Address,
  authority,
  type Connection,
  type Limits,
  type Outcome,
  type Protocol,
} from "./protocols/protocol.ts";

interface Link {
  readonly connection: Connection;
  /** Index of the server's address. */
  readonly server: number;
}

interface Lane {
  readonly links: readonly Link[];
  next: number;
}

/** What does not change while the servers do. */
interface Setting {
  readonly protocol: Protocol;
  readonly target: Target;
  readonly pacer: Pick<Pacer, "lanes" | "ownConnections">;
  readonly limits: Limits;
}

/**
 * The connections of all lanes, to all addresses. Clients of a closed loop share one connection to each server where one can
 * carry many requests at once, which costs less than a connection each.
 */
export class Lanes {
  readonly #setting: Setting;
  #lanes: readonly Lane[] = [];
  readonly #opened: Connection[] = [];
  readonly #leaving = new Map<Connection, NodeJS.Timeout>();
  /** `host:port` of every server so far, by the number that a link has of it. */
  readonly servers: string[] = [];

  private constructor(setting: Setting) {
    this.#setting = setting;
  }

  /** @throws UserError if a server cannot be reached */
  static async connect(
    protocol: Protocol,
    target: Target,
    addresses: readonly Address[],
    pacer: Setting["pacer"],
    limits: Limits,
  ): Promise<Lanes> {
    const lanes = new Lanes({ protocol, target, pacer, limits });
    try {
      await lanes.move(addresses);
    } catch (error) {
      lanes.close();
      throw error;
    }
    return lanes;
  }

  /**
   * Spreads the lanes over these servers from now on, with the connections there are where there are some. One that is not used
   * any more is closed when everything under way on it must have ended.
   *
   * @throws UserError if a server cannot be reached; the lanes then stay where they are
   */
  async move(addresses: readonly Address[]): Promise<void> {
    const { target, pacer } = this.#setting;
    const isShared = !pacer.ownConnections && multiplexed(target.protocol);
    const before = this.#lanes.map(({ links }) => links);
    const shared = new Map<Address, Promise<Link>>();
    const link = (address: Address, lane: number): Promise<Link> => {
      if (!isShared) return this.#link(address, before[lane] ?? []);
      const known = shared.get(address) ?? this.#link(address, before.flat());
      shared.set(address, known);
      return known;
    };
    const plan = spread(pacer.lanes, addresses.length);
    const results = await Promise.allSettled(
      plan.map((servers, lane) => Promise.all(servers.map((server) => link(addresses[server]!, lane)))),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (!failed)
      this.#lanes = results.map((result) => ({ links: (result as PromiseFulfilledResult<Link[]>).value, next: 0 }));
    this.#retire();
    if (failed) throw failed.reason;
  }

  /** The connection to a server among these, or else a new one. */
  async #link(address: Address, known: readonly Link[]): Promise<Link> {
    const { protocol, target, limits } = this.#setting;
    const name = authority(address);
    let server = this.servers.indexOf(name);
    if (server === -1) server = this.servers.push(name) - 1;
    const link = known.find((candidate) => candidate.server === server);
    if (link) return link;
    try {
      const connection = await protocol.connect(address, limits);
      this.#opened.push(connection);
      return { connection, server };
    } catch (error) {
      throw new UserError(`Cannot connect to ${name}: ${(error as Error).message}.`, portHint(address, target));
    }
  }

  /** Requests on a connection that is left end within the time limit. */
  #retire(): void {
    const used = new Set(this.#lanes.flatMap(({ links }) => links.map(({ connection }) => connection)));
    for (const connection of this.#opened)
      if (!used.has(connection) && !this.#leaving.has(connection))
        this.#leaving.set(
          connection,
          setTimeout(() => connection.close(), this.#setting.limits.timeoutMs + 100),
        );
  }

  /** The connection for the next request of a lane: its own, in turn. */
  take(lane: number): Link {
    const taken = this.#lanes[lane]!;
    const link = taken.links[taken.next]!;
    if (taken.links.length > 1) taken.next = (taken.next + 1) % taken.links.length;
    return link;
  }

  /**
   * Sends one request to every server, so that a wrong model or shape is one clear sentence and not a run of failures.
   *
   * @throws UserError if one does not answer, or not in a way that can be read
   */
  async tryServers(target: Target, addresses: readonly Address[], batches: Batches): Promise<void> {
    const links = this.#lanes.flatMap((lane) => lane.links);
    const tried = addresses.map(async (address) => {
      const link = links.find((candidate) => this.servers[candidate.server] === authority(address));
      if (!link) return; // this part has fewer lanes than there are servers; another part has it
      const outcome = await new Promise<Outcome>((resolve) => link.connection.send(batches.messages[0]!, resolve));
      const failure = outcome.reply ? unreadable(() => batches.wrongAnswers(0, outcome.reply)) : outcome;
      if (failure)
        throw new UserError(
          `The server ${authority(address)} did not answer the first request to model "${target.model}": ${failure.kind}: ${failure.detail}`,
          ...(failure.kind.startsWith("connection ") ? [portHint(address, target)] : []),
        );
    });
    await Promise.all(tried);
  }

  /** Sums over all connections. */
  bytes(): { sent: number; received: number; bodySent: number; bodyReceived: number } {
    const total = { sent: 0, received: 0, bodySent: 0, bodyReceived: 0 };
    for (const connection of this.#opened) {
      const { sent, received, bodySent, bodyReceived } = connection.bytes();
      total.sent += sent;
      total.received += received;
      total.bodySent += bodySent;
      total.bodyReceived += bodyReceived;
    }
    return total;
  }

  close(): void {
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    for (const connection of this.#opened) connection.close();
  }
}

const portHint = ({ port }: Address, { protocol }: Target): string =>
  `Is the server up, and is ${port} its port for ${protocol}?`;

/** Why a reply that arrived whole counts as a failure all the same; undefined if it does not. */
function unreadable(read: () => unknown): { kind: string; detail: string } | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return faultOf(error);
  }
}

/** What an error of `Protocol.answers` is counted under. */
export function faultOf(error: unknown): { kind: string; detail: string } {
  const kind = error instanceof ReplyFault ? error.kind : "malformed reply";
  return { kind, detail: (error as Error).message };
}
