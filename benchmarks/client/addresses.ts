import { lookup } from "node:dns/promises";
import { UserError } from "../../error.ts";
import type { Address } from "./protocols/protocol.ts";

/**
 * All addresses behind a name, each once, in a fixed order.
 *
 * @param host a name or an address; several with commas between them
 * @throws UserError if a name is not known
 */
export async function resolveAddresses(host: string, port: number): Promise<Address[]> {
  const ips = new Set<string>();
  for (const name of host.split(",")) {
    try {
      for (const { address } of await lookup(name.trim(), { all: true })) ips.add(address);
    } catch (error) {
      throw new UserError(`The name "${name.trim()}" has no address: ${(error as Error).message}.`);
    }
  }
  return [...ips].sort().map((ip) => ({ ip, port }));
}

/**
 * Which address each connection of each lane goes to, as indexes. With at least as many lanes as addresses a lane keeps to
 * one address, so that the number of requests in flight at each server is fixed; with fewer, every lane takes all
 * addresses in turn, beginning at its own, so that no server is left out.
 */
export function spread(lanes: number, addresses: number): number[][] {
  return Array.from({ length: lanes }, (_, lane) =>
    lanes >= addresses
      ? [lane % addresses]
      : Array.from({ length: addresses }, (_, i) => (Math.floor((lane * addresses) / lanes) + i) % addresses),
  );
}
