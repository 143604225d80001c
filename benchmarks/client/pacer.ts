import { UserError } from "../../error.ts";
import type { ClosedLoop, Load, OpenLoop, ProtocolName, Stage } from "../spec.ts";
import { ClosedPacer } from "./pacers/closed.ts";
import { completeMlperf, type Mlperf, serverPlan } from "./pacers/mlperf.ts";
import { OfflinePacer } from "./pacers/offline.ts";
import { OpenPacer } from "./pacers/open.ts";
import type { Pacer, Share } from "./pacers/pacer.ts";
import { QueryPacer } from "./pacers/query.ts";
import { applyChanges, type Change, dueTimesOf, type Plan, stagePieces } from "./pacers/schedule.ts";

export const wholeLoad: Share = { index: 0, of: 1 };

export const defaultTimeoutSeconds = 10;

/** Whether one connection carries many requests at once (HTTP/2) or one after the other (HTTP/1.1). */
export const multiplexed = (protocol: ProtocolName): boolean => protocol.endsWith("-grpc");

/** Connections of an open loop, unless others are asked for. */
export const defaultConnections = (protocol: ProtocolName): number => (multiplexed(protocol) ? 8 : 64);

/** A load with all its numbers: what the result shows as requested. */
export type CompleteLoad =
  | ((ClosedLoop | (OpenLoop & { readonly stages: Stage[] })) & {
      readonly batch: number;
      readonly timeoutSeconds: number;
    })
  | Mlperf;

/** @throws UserError if the load contradicts itself */
export function completeLoad(load: Load, protocol: ProtocolName): CompleteLoad {
  const timeoutSeconds = load.timeoutSeconds ?? defaultTimeoutSeconds;
  if (load.mode === "mlperf") return completeMlperf(load, timeoutSeconds, defaultConnections(protocol));
  if (load.mode === "closed" && (load.durationSeconds === undefined) === (load.repeats === undefined))
    throw new UserError("A closed loop takes either durationSeconds or repeats.");
  const common = { batch: load.batch ?? 1, timeoutSeconds };
  return load.mode === "open" ? { ...load, ...common, stages: [...load.stages] } : { ...load, ...common };
}

/** The schedule of the measured interval; undefined for a load without one. */
export function planOf(load: Load, changes: readonly Change[] = []): Plan | undefined {
  const plan =
    load.mode === "open"
      ? { arrivals: load.arrivals, seed: load.seed, pieces: stagePieces(load.stages) }
      : load.mode === "mlperf" && load.scenario === "Server"
        ? serverPlan(load)
        : undefined;
  return plan && { ...plan, pieces: applyChanges(plan.pieces, changes) };
}

/**
 * When the requests of an open loop (or of MLPerf's Server scenario) are due, milliseconds from the start of the measured
 * interval; nothing for any other load. A pure function of the load and the changes of its rate.
 */
export function dueTimes(load: Load, changes: readonly Change[] = []): Iterable<number> {
  const plan = planOf(load, changes);
  return plan ? dueTimesOf(plan) : [];
}

/** @throws UserError if the load cannot be shared like that */
export function pacerFor(load: CompleteLoad, share: Share, protocol: ProtocolName): Pacer {
  const plan = planOf(load);
  if (plan) {
    const { connections } = load as Mlperf;
    return new OpenPacer(plan, {
      warmupMs: load.warmupSeconds * 1000,
      timeoutMs: load.timeoutSeconds * 1000,
      connections: shareOf(connections, share, "connection"),
      multiplexed: multiplexed(protocol),
      share,
    });
  }
  if (load.mode === "closed") return new ClosedPacer(load, shareOf(load.clients, share, "client"));
  const scenario = load as Mlperf;
  if (scenario.scenario === "Offline")
    return new OfflinePacer(scenario, shareOf(scenario.connections, share, "connection"), share);
  if (share.of > 1)
    throw new UserError(
      `MLPerf ${scenario.scenario} has one query at a time and cannot be shared by ${share.of} threads or pods.`,
      "Run it with one thread and without worker pods.",
    );
  return new QueryPacer(scenario);
}

/** How many of `total` fall to a part: the index-th and every of-th after it. */
function shareOf(total: number, { index, of }: Share, noun: string): number {
  if (total < of)
    throw new UserError(
      `${total} ${noun}${total === 1 ? "" : "s"} cannot be shared by ${of} threads or pods; each needs at least one.`,
    );
  return Math.floor(total / of) + (index < total % of ? 1 : 0);
}
