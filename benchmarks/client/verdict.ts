import type { Result, Verdict } from "../result.ts";
import type { Thresholds } from "../spec.ts";
import { parseCpuList, sameCpus } from "./cpus.ts";
import { growth } from "./growth.ts";
import { planOf } from "./pacer.ts";
import { mlperfRules } from "./pacers/mlperf.ts";
import { percentiles, samplesNeeded } from "./samples.ts";

/** Everything of a result but the judgement on it. */
export type Facts = Omit<Result, "verdict">;

/**
 * Judges a run from its numbers alone.
 *
 * @param seen what the caller saw that makes the run untrustworthy, such as a server that was restarted
 */
export function judge(facts: Facts, thresholds: Thresholds, seen: readonly string[] = []): Verdict {
  const reasons = [
    ...interruption(facts),
    ...failures(facts, thresholds),
    ...wrongAnswers(facts),
    ...tooFew(facts, thresholds),
    ...unsteady(facts, thresholds),
    ...rateMissed(facts, thresholds),
    ...slipped(facts, thresholds),
    ...(facts.scaling ? [] : growth(facts)),
    ...boundExceeded(facts),
    ...busyClients(facts, thresholds),
    ...throttled(facts, thresholds),
    ...wrongServers(facts),
    ...wrongClientCpus(facts),
    ...seen,
  ];
  const notes = [
    ...(facts.mlperf?.overridden ?? []),
    ...(facts.scaling ? scaledNotes(facts, facts.scaling) : uneven(facts)),
    ...sharedCores(facts),
    ...leftOut(facts),
  ];
  return { valid: reasons.length === 0, reasons, notes };
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
const ms = (value: number): string => `${Number(value.toPrecision(3))} ms`;

/** What the load asked for and the run did not reach: it was interrupted. */
function interruption(facts: Facts): string[] {
  const { load, counts } = facts;
  const { durationSeconds } = load.achieved;
  const { requested } = load;
  const abandoned = counts.abandoned ? `, with ${plural(counts.abandoned, "request")} still without a reply` : "";
  const asked = askedSeconds(facts);
  if (asked !== undefined && (durationSeconds < asked - 0.001 || abandoned))
    return [
      `The run ended after ${durationSeconds.toFixed(1)} s of the ${Number(asked.toFixed(3))} s asked for${abandoned}.`,
    ];
  if (requested.mode === "closed" && requested.repeats !== undefined) {
    const requests = requested.repeats * requested.clients;
    if (counts.sent < requests || abandoned)
      return [
        `The run ended after ${durationSeconds.toFixed(1)} s with ${counts.sent} of the ${plural(requests, "request")} asked for${abandoned}.`,
      ];
  }
  return abandoned ? [`The run was interrupted${abandoned}.`] : [];
}

function askedSeconds({ load: { requested } }: Facts): number | undefined {
  if (requested.mode === "closed") return requested.durationSeconds;
  const plan = planOf(requested);
  return plan ? plan.pieces.at(-1)!.until / 1000 : (requested as { minDurationSeconds?: number }).minDurationSeconds;
}

function failures({ counts, errors, servers, environment }: Facts, { maxErrorRate }: Thresholds): string[] {
  const rate = errors.total / counts.sent;
  if (errors.total === 0 || rate <= maxErrorRate) return [];
  const kinds = Object.entries(errors.byKind).map(
    ([kind, n]) => `${n} x ${kind} (${errors.examples[kind] || "no message"})`,
  );
  // Where it is one server of several, that is what to look at.
  const [failing, ...others] = servers.filter(({ failed }) => failed > 0);
  const server = environment.servers.find(({ address }) => failing?.address.startsWith(`${address}:`));
  const whose =
    server && others.length === 0 && servers.length > 1
      ? ` All of them went to pod ${server.pod} on ${server.node}.`
      : "";
  return [
    `${errors.total} of ${counts.sent} requests failed, ${percent(rate)}; at most ${percent(maxErrorRate)} may: ${kinds.join("; ")}.${whose}`,
  ];
}

function wrongAnswers({ correctness: { checked, wrong } }: Facts): string[] {
  return wrong ? [`${wrong} of ${checked} answers were wrong.`] : [];
}

function tooFew({ counts, latencyMs, mlperf, load: { requested } }: Facts, { minRequests }: Thresholds): string[] {
  const { answered } = counts;
  if (mlperf && requested.mode === "mlperf") {
    const { queries, scenario } = mlperf;
    const { percentile } = mlperfRules[requested.scenario];
    if (queries < requested.minQueries)
      return [`Only ${queries} queries of MLPerf ${scenario} ended; ${requested.minQueries} were asked for.`];
    if (percentile && queries < samplesNeeded(percentile))
      return [
        `Only ${queries} queries of MLPerf ${scenario} ended; ${percentile} needs ${samplesNeeded(percentile)}. Measure longer.`,
      ];
    return [];
  }
  if (answered < minRequests)
    return [`Only ${plural(answered, "request")} answered; at least ${minRequests} are needed. Measure longer.`];
  if (latencyMs.p99 === null)
    return [`Only ${plural(answered, "request")} answered; p99 needs ${samplesNeeded("p99")}. Measure longer.`];
  return [];
}

/** A closed loop: its throughput is what was measured, so it must not change over the run. */
function unsteady({ throughput: { drift }, counts, load, series }: Facts, { maxDrift }: Thresholds): string[] {
  if (load.requested.mode !== "closed" || series.length < 2) return []; // one bin has no halves
  if (drift === null) return counts.answered ? ["Nothing was answered in the first half of the run."] : [];
  if (Math.abs(drift) <= maxDrift) return [];
  const direction = drift < 0 ? "slower" : "faster";
  return [
    `The second half of the run was ${percent(Math.abs(drift))} ${direction} than the first; at most ${percent(maxDrift)} is steady.`,
  ];
}

function rateMissed({ load: { schedule, achieved }, counts }: Facts, { maxRateError }: Thresholds): string[] {
  if (!schedule || schedule.requests === 0) return [];
  const sent = achieved.sentPerSecond * achieved.durationSeconds;
  const asked = schedule.requestsPerSecond * achieved.durationSeconds; // the run may have been interrupted
  const error = (sent - asked) / asked;
  // A single request at the very end of a short run is no sign of anything; an interrupted one has its own reason.
  if (Math.abs(error) <= maxRateError || Math.abs(sent - asked) <= 1) return [];
  const unsent = counts.unsent ? ` ${plural(counts.unsent, "request")} could not be sent at all.` : "";
  return [
    `Of the ${schedule.requests} requests the schedule asked for (${rate(schedule.requestsPerSecond)}), ${Math.round(sent)} were sent in time (${rate(achieved.sentPerSecond)}), ${percent(Math.abs(error))} ${error < 0 ? "fewer" : "more"}; at most ${percent(maxRateError)} may differ.${unsent}`,
  ];
}

const rate = (perSecond: number): string => `${Number(perSecond.toPrecision(4))}/s`;

/** Not for Offline, where everything is due at once and waiting is the point. */
function slipped({ load, slipMs, latencyMs }: Facts, { maxSlipMs, maxSlipShare }: Thresholds): string[] {
  const { requested } = load;
  if (requested.mode === "mlperf" && requested.scenario === "Offline") return [];
  const slip = slipMs.p99 ?? slipMs.max;
  const limit = Math.max(maxSlipMs, maxSlipShare * (latencyMs.p50 ?? latencyMs.mean ?? 0));
  if (slip === null || slip <= limit) return [];
  const which = slipMs.p99 === null ? "at most" : "at p99";
  const cause =
    requested.mode === "closed"
      ? "the client could not keep up"
      : `the client could not keep up, or the ${plural((requested as { connections: number }).connections, "connection")} were all taken`;
  return [`Requests were sent ${ms(slip)} late (${which}): ${cause}. At most ${ms(limit)} may be.`];
}

function boundExceeded({ load: { requested }, latencyMs }: Facts): string[] {
  if (requested.mode !== "mlperf" || requested.latencyBoundMs === undefined) return [];
  if (requested.scenario !== "Server" || latencyMs.p99 === null || latencyMs.p99 <= requested.latencyBoundMs) return [];
  return [
    `Latency p99 was ${ms(latencyMs.p99)} at ${requested.targetQps} queries/s; MLPerf Server's bound is ${ms(requested.latencyBoundMs)}. Ask for fewer queries per second.`,
  ];
}

/** A lag of ten times the slip that is allowed: timers alone may be a millisecond late, whatever the client does. */
const lagPerSlip = 10;

function busyClients(
  { environment, latencyMs }: Facts,
  { maxClientBusy, maxSlipMs, maxSlipShare }: Thresholds,
): string[] {
  const lagLimit = lagPerSlip * Math.max(maxSlipMs, maxSlipShare * (latencyMs.p50 ?? 0));
  return environment.clients.flatMap(({ name, busyShare, lagMs }) => {
    if (busyShare > maxClientBusy)
      return [
        `The event loop of client ${name} had work ${percent(busyShare)} of the time, so it may have measured itself; at most ${percent(maxClientBusy)} may be. Use more threads or pods.`,
      ];
    if (lagMs.p99 > lagLimit)
      return [
        `The event loop of client ${name} was ${ms(lagMs.p99)} late at p99, so it saw replies late; at most ${ms(lagLimit)} may be. Give it CPU time of its own.`,
      ];
    return [];
  });
}

function throttled({ environment }: Facts, { maxThrottled }: Thresholds): string[] {
  const who = [
    ...environment.clients.map(({ name, throttledShare }) => ({ who: `client ${name}`, throttledShare })),
    ...environment.servers.map(({ pod, throttledShare }) => ({ who: `server ${pod}`, throttledShare })),
  ];
  return who.flatMap(({ who, throttledShare }) =>
    throttledShare !== null && throttledShare > maxThrottled
      ? [
          `The kernel throttled ${who} in ${percent(throttledShare)} of the periods of its CPU quota; at most ${percent(maxThrottled)} may be. Raise its CPU limit.`,
        ]
      : [],
  );
}

function wrongServers({ plan, scaling, environment: { servers } }: Facts): string[] {
  if (!plan) return [];
  const reasons = servers.flatMap(({ pod, cpusPlanned, cpusAllowed }) => {
    if (cpusPlanned === null) return [];
    if (cpusAllowed === null)
      return [`The log of pod ${pod} does not say on which CPUs it runs; planned were ${cpusPlanned}.`];
    return sameCpus(cpusPlanned, cpusAllowed)
      ? []
      : [`Pod ${pod} may run on CPUs ${cpusAllowed}; planned were ${cpusPlanned}.`];
  });
  if (scaling ? servers.length < plan.instances : servers.length !== plan.instances)
    reasons.push(`${plural(servers.length, "server pod")} measured; planned were ${plan.instances}.`);
  return reasons;
}

function wrongClientCpus({ plan, environment }: Facts): string[] {
  if (!plan?.clientCpus || sameCpus(plan.clientCpus, environment.clientCpus)) return [];
  return [`The client may run on CPUs ${environment.clientCpus}; planned were ${plan.clientCpus}.`];
}

/** A queue that grows until there are more servers is what is being measured. */
function scaledNotes(facts: Facts, { timeline, min }: NonNullable<Facts["scaling"]>): string[] {
  const { ready } = timeline[0]!;
  const more = `It began with ${plural(ready, "server")}, left from an earlier load; the fewest is ${min}.`;
  return [...growth(facts), ...(ready > min ? [more] : [])];
}

function uneven({ load: { requested }, servers }: Facts): string[] {
  const [lanes, noun] =
    requested.mode === "closed" ? [requested.clients, "client"] : [requested.connections, "connection"];
  if (servers.length === 0 || lanes < servers.length || lanes % servers.length === 0) return [];
  return [`${plural(lanes, noun)} cannot be spread evenly over ${plural(servers.length, "server")}.`];
}

function sharedCores({ environment }: Facts): string[] {
  const client = parseCpuList(environment.clientCpus);
  const shared = environment.servers
    .filter(({ node }) => node === environment.node)
    .filter(({ cpusAllowed }) => cpusAllowed === null || parseCpuList(cpusAllowed).some((cpu) => client.includes(cpu)));
  if (shared.length === 0) return [];
  return [
    `The client (CPUs ${environment.clientCpus}) shares cores with ${plural(shared.length, "server")} and takes CPU time from ${shared.length === 1 ? "it" : "them"}.`,
  ];
}

function leftOut({ latencyMs, counts }: Facts): string[] {
  const names = { p50: "p50", p90: "p90", p95: "p95", p99: "p99", p999: "p99.9" } as const;
  const missing = (Object.keys(percentiles) as (keyof typeof percentiles)[]).filter((p) => latencyMs[p] === null);
  if (missing.length === 0) return [];
  const needs = missing.map((p) => `${names[p]} (needs ${samplesNeeded(p)})`);
  return [`Left out for want of samples, of which there are ${counts.answered}: ${needs.join(", ")}.`];
}
