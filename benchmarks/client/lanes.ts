import { UserError } from "../../error.ts";
import type { Target } from "../spec.ts";
import { spread } from "./addresses.ts";
import type { Batches } from "./batches.ts";
import { multiplexed, type Pacer } from "./pacer.ts";
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

/**
 * The connections of all lanes, to all addresses. Clients of a closed loop share one connection to each server where one can
 * carry many requests at once, which costs less than a connection each.
 */
export class Lanes {
  readonly #lanes: readonly Lane[];
  readonly #connections: readonly Connection[];

  private constructor(lanes: readonly Lane[], connections: readonly Connection[]) {
    this.#lanes = lanes;
    this.#connections = connections;
  }

  /** @throws UserError if a server cannot be reached */
  static async connect(
    protocol: Protocol,
    target: Target,
    addresses: readonly Address[],
    { lanes, ownConnections }: Pacer,
    limits: Limits,
  ): Promise<Lanes> {
    const opened: Connection[] = [];
    const shared = new Map<number, Promise<Link>>();
    const connect = async (server: number): Promise<Link> => {
      const address = addresses[server]!;
      try {
        const connection = await protocol.connect(address, limits);
        opened.push(connection);
        return { connection, server };
      } catch (error) {
        throw new UserError(
          `Cannot connect to ${authority(address)}: ${(error as Error).message}.`,
          portHint(address, target),
        );
      }
    };
    const link = (server: number): Promise<Link> => {
      if (ownConnections || !multiplexed(target.protocol)) return connect(server);
      const known = shared.get(server) ?? connect(server);
      shared.set(server, known);
      return known;
    };
    const plan = spread(lanes, addresses.length);
    const results = await Promise.allSettled(plan.map((servers) => Promise.all(servers.map(link))));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) {
      for (const connection of opened) connection.close();
      throw failed.reason;
    }
    return new Lanes(
      results.map((result) => ({ links: (result as PromiseFulfilledResult<Link[]>).value, next: 0 })),
      opened,
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
    const tried = addresses.map(async (address, server) => {
      const link = links.find((candidate) => candidate.server === server);
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
    for (const connection of this.#connections) {
      const { sent, received, bodySent, bodyReceived } = connection.bytes();
      total.sent += sent;
      total.received += received;
      total.bodySent += bodySent;
      total.bodyReceived += bodyReceived;
    }
    return total;
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
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
