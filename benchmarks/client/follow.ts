import { lookup } from "node:dns/promises";
import type { Target } from "../spec.ts";
import type { Lanes } from "./lanes.ts";

/** Between two looks: so long a server that has just become ready waits for its first request. */
const followMs = 1000;

export type Resolve = (host: string) => Promise<readonly string[]>;

const addressesOf: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/**
 * Keeps the lanes on the servers that the target's name stands for, while these come and go. Nothing changes while the name
 * cannot be resolved or one of the servers cannot be reached.
 *
 * @returns ends it
 */
export function follow({ host, port }: Target, lanes: Lanes, resolve: Resolve = addressesOf): () => void {
  let known = "";
  let isLooking = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    try {
      const found = [
        ...new Set((await Promise.all(host.split(",").map((name) => resolve(name.trim())))).flat()),
      ].sort();
      if (found.length > 0 && found.join() !== known) {
        await lanes.move(found.map((ip) => ({ ip, port })));
        known = found.join();
      }
    } catch {
      // At the next look it may be there, or gone from the name.
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(look, followMs);
  return () => clearInterval(timer);
}
