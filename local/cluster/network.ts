import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../error.ts";
import { run } from "../exec.ts";
import { withLock } from "../lock.ts";
import { instance, instancesDir } from "../paths.ts";

/** The addresses of one instance's cluster: a /22 of its own, cut into links, services and the pods of each node. */
export interface Network {
  readonly slot: number;
  /** All of it, for the route that keeps stray packets on this machine. */
  readonly block: string;
  readonly serviceRange: string;
  /** First address of the service range: `kubernetes.default`. */
  readonly apiServiceAddress: string;
  readonly dnsAddress: string;
}

/** How a node hangs on what is before it: the first on this machine, each other one on the first. */
export interface Link {
  /** Its name before the node; inside it is `eth0`. At most 15 characters. */
  readonly name: string;
  readonly parentAddress: string;
  readonly address: string;
  readonly podRange: string;
  /** What is reached through the link from before the node. */
  readonly behind: string;
}

const SLOTS = 256;
/** Each has a half of one of the two /24 that are for pods. */
export const MAX_NODES = 4;

const prefix = (slot: number) => ({ base: `10.${213 + Math.floor(slot / 64)}`, third: (slot % 64) * 4 });

/** Slot n is the n-th /22 from 10.213.0.0 on. */
export function networkOf(slot: number): Network {
  const { base, third } = prefix(slot);
  return {
    slot,
    block: `${base}.${third}.0/22`,
    serviceRange: `${base}.${third + 2}.0/24`,
    apiServiceAddress: `${base}.${third + 2}.1`,
    dnsAddress: `${base}.${third + 2}.10`,
  };
}

/** The link of the node of this index, from 0 to MAX_NODES - 1. */
export function linkOf({ slot, block }: Network, index: number): Link {
  const { base, third } = prefix(slot);
  const podRange = `${base}.${third + (index < 2 ? 1 : 3)}.${128 * (index % 2)}/25`;
  return {
    name: index === 0 ? `istack${slot}` : `node${index + 1}`,
    parentAddress: `${base}.${third}.${4 * index + 1}`,
    address: `${base}.${third}.${4 * index + 2}`,
    podRange,
    behind: index === 0 ? block : podRange,
  };
}

/** Takes the first node's link away, and with it every route to the cluster. A namespace whose last packets nobody takes would keep it for minutes. */
export async function disconnect(network: Network): Promise<void> {
  await run("ip", ["link", "del", linkOf(network, 0).name]).catch(() => {});
}

const slotsDir = join(instancesDir, "slots");
const slotFile = (slot: number) => join(slotsDir, String(slot));

function owners(): Map<number, string> {
  mkdirSync(slotsDir, { recursive: true });
  const files = readdirSync(slotsDir).filter((f) => /^\d+$/.test(f));
  return new Map(files.map((f) => [Number(f), readFileSync(join(slotsDir, f), "utf8")]));
}

/** The slot of this instance: the one it has, or a free one that overlaps no route of this machine. */
export function claimSlot(): Promise<Network> {
  return withLock(join(instancesDir, "slots.lock"), async () => {
    const taken = owners();
    for (const [slot, owner] of taken) if (owner === instance) return networkOf(slot);
    const routes = JSON.parse(await run("ip", ["-json", "-4", "route", "show", "table", "all"])) as { dst: string }[];
    for (let slot = 0; slot < SLOTS; slot++) {
      const network = networkOf(slot);
      if (taken.has(slot) || routes.some((r) => r.dst !== "default" && overlap(r.dst, network.block))) continue;
      writeFileSync(slotFile(slot), instance);
      return network;
    }
    throw new UserError(
      `no free address range: all ${SLOTS} ranges of 10.213.0.0/14 and up are taken by other instances (${[...taken.values()].join(", ")}) or by routes of this machine`,
      "remove an instance you no longer need with `npm stop -- --purge` in its checkout",
    );
  });
}

export function releaseSlot(): void {
  for (const [slot, owner] of owners()) if (owner === instance) rmSync(slotFile(slot), { force: true });
}

/** Whether two IPv4 ranges in CIDR form (a bare address is a /32) share an address. */
export function overlap(a: string, b: string): boolean {
  const [x, y] = [range(a), range(b)];
  return x.from <= y.to && y.from <= x.to;
}

function range(cidr: string): { from: number; to: number } {
  const [address, bits = "32"] = cidr.split("/");
  const number = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - Number(bits));
  const from = Math.floor(number / size) * size;
  return { from, to: from + size - 1 };
}

/** Routes the instance's addresses to nowhere, so that no packet for a pod can leave the machine while no node is up. */
export async function sealBlock(network: Network): Promise<void> {
  await run("ip", ["route", "replace", "unreachable", network.block, "metric", "4000000"]);
}

export async function unsealBlock(network: Network): Promise<void> {
  await run("ip", ["route", "del", "unreachable", network.block, "metric", "4000000"]).catch(() => {});
}

/**
 * Connects the network namespace we are in with that of process `pid`, a node; everything vanishes with that namespace. Neither
 * has a default route, so no packet can leave.
 */
export async function connect({ block, serviceRange }: Network, link: Link, pid: number): Promise<void> {
  const { name, parentAddress, address, behind } = link;
  await run("ip", ["link", "del", name]).catch(() => {});
  await run("ip", ["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", String(pid)]);
  await run("ip", ["addr", "add", `${parentAddress}/30`, "dev", name]);
  await run("ip", ["link", "set", name, "up"]);
  const inside = (...args: string[]) => run("nsenter", ["-t", String(pid), "-n", "ip", ...args]);
  await inside("link", "set", "lo", "up");
  await inside("addr", "add", `${address}/30`, "dev", "eth0");
  await inside("link", "set", "eth0", "up");
  // What lies before the first node is not ours, and has no way in but its own link.
  if (behind !== block) await inside("route", "add", block, "via", parentAddress, "dev", "eth0");
  // A packet of the node itself to a service address is routed before it is translated: a bridge without ports is that
  // route, and the end of packets nobody translated.
  await inside("link", "add", "svc0", "type", "bridge");
  await inside("link", "set", "svc0", "up");
  await inside("route", "add", serviceRange, "dev", "svc0");
  await run("ip", ["route", "replace", behind, "via", address, "dev", name]);
}
