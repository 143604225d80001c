import { ownCpus } from "./cpus.ts";
import type { Experiment } from "./engine.ts";
import { nodeName } from "./node.ts";
import type { Part } from "./part.ts";
import { authority } from "./protocols/protocol.ts";

/**
 * The part of a thread or pod that will never tell what it measured: nothing, with the reason.
 *
 * @param fault one sentence that names it
 */
export function lostPart(
  { name, addresses, startAt = 0 }: Pick<Experiment, "name" | "addresses" | "startAt">,
  fault: string,
): Part {
  return {
    name,
    from: startAt,
    until: startAt,
    endedAt: startAt,
    counts: { sent: 0, answered: 0, failed: 0, abandoned: 0, unsent: 0, inferences: 0, warmup: 0 },
    sentInTime: 0,
    errors: { total: 0, byKind: {}, examples: {} },
    correctness: { checked: 0, wrong: 0 },
    wire: { sent: 0, received: 0, bodySent: 0, bodyReceived: 0, requests: 0 },
    servers: addresses.map((address) => ({ address: authority(address), answered: 0, failed: 0 })),
    inFlightMs: 0,
    segments: [],
    series: [],
    binMs: 0,
    client: {
      name,
      node: nodeName(),
      cpus: ownCpus(),
      cpuSeconds: 0,
      busyShare: 0,
      lagMs: { p99: 0, max: 0 },
      throttledShare: null,
      clockOffsetMs: 0,
    },
    fault,
  };
}
