import { loadInWords } from "../client/output/load.ts";
import { experimentKey } from "../key.ts";
import type { Result } from "../result.ts";
import type { StoredRun } from "../sweep/store.ts";

/** Results with where each came from. */
export type Runs = readonly Pick<StoredRun, "file" | "result" | "settings">[];
export type Cases = ReadonlyMap<string, Runs>;

/** What is asked of the servers. The seed alone makes no other load. */
function loadKey({ target, load }: Result): string {
  const { seed: _, ...requested } = load.requested;
  return experimentKey({ model: target.model, protocol: target.protocol, requested });
}

/**
 * Runs by load. What the servers are is what is compared, so it is no part of a case, unless a side has several settings for one load
 * (a sweep): then equal settings belong together.
 */
export function casesOf(side: Runs, isSplit: (load: string) => boolean): Map<string, Runs> {
  return Map.groupBy(side, ({ result, settings }) => {
    const load = loadKey(result);
    return isSplit(load) ? `${load} ${JSON.stringify(settings)}` : load;
  });
}

/** Loads for which a side has results with several settings. */
export function sweptLoads(runs: Runs): Set<string> {
  const byLoad = Map.groupBy(runs, ({ result }) => loadKey(result));
  const isSwept = (each: Runs) => new Set(each.map(({ settings }) => JSON.stringify(settings))).size > 1;
  return new Set([...byLoad].filter(([, each]) => isSwept(each)).map(([load]) => load));
}

export function onlyOn(name: string, side: Cases, other: Cases): string[] {
  return [...side].filter(([key]) => !other.has(key)).map(([, runs]) => `Only in ${name}: ${nameOf(runs[0]!)}.`);
}

export function nameOf({ result: { target, load }, settings }: Runs[number]): string {
  const set = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  const swept = set.length > 0 ? ` (${set.join(" ")})` : "";
  return `${target.model} over ${target.protocol}, ${loadInWords(load.requested)}${swept}`;
}
