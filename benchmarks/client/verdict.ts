import type { Result, Verdict } from "../result.ts";
import type { Thresholds } from "../spec.ts";
import { parseCpuList, sameCpus } from "./cpus.ts";
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
    ...wrongServers(facts),
    ...wrongClientCpus(facts),
    ...seen,
  ];
  return { valid: reasons.length === 0, reasons, notes: [...uneven(facts), ...sharedCores(facts), ...leftOut(facts)] };
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

function interruption({ load, counts }: Facts): string[] {
  const { durationSeconds } = load.achieved;
  const asked = load.requested.durationSeconds;
  const abandoned = counts.abandoned ? `, with ${plural(counts.abandoned, "request")} still without a reply` : "";
  if (durationSeconds < asked - 0.001 || abandoned)
    return [`The run ended after ${durationSeconds.toFixed(1)} s of the ${asked} s asked for${abandoned}.`];
  return [];
}

function failures({ counts, errors }: Facts, { maxErrorRate }: Thresholds): string[] {
  const rate = errors.total / counts.sent;
  if (errors.total === 0 || rate <= maxErrorRate) return [];
  const kinds = Object.entries(errors.byKind).map(
    ([kind, n]) => `${n} x ${kind} (${errors.examples[kind] || "no message"})`,
  );
  return [
    `${errors.total} of ${counts.sent} requests failed, ${percent(rate)}; at most ${percent(maxErrorRate)} may: ${kinds.join("; ")}.`,
  ];
}

function wrongAnswers({ correctness: { checked, wrong } }: Facts): string[] {
  return wrong ? [`${wrong} of ${checked} answers were wrong.`] : [];
}

function tooFew({ counts, latencyMs }: Facts, { minRequests }: Thresholds): string[] {
  if (counts.answered < minRequests)
    return [`Only ${plural(counts.answered, "request")} answered; at least ${minRequests} are needed. Measure longer.`];
  if (latencyMs.p99 === null)
    return [`Only ${plural(counts.answered, "request")} answered; p99 needs ${samplesNeeded("p99")}. Measure longer.`];
  return [];
}

function unsteady({ throughput: { drift }, counts }: Facts, { maxDrift }: Thresholds): string[] {
  if (drift === null) return counts.answered ? ["Nothing was answered in the first half of the run."] : [];
  if (Math.abs(drift) <= maxDrift) return [];
  const direction = drift < 0 ? "slower" : "faster";
  return [
    `The second half of the run was ${percent(Math.abs(drift))} ${direction} than the first; at most ${percent(maxDrift)} is steady.`,
  ];
}

function wrongServers({ plan, environment: { servers } }: Facts): string[] {
  if (!plan) return [];
  const reasons = servers.flatMap(({ pod, cpusPlanned, cpusAllowed }) => {
    if (cpusPlanned === null) return [];
    if (cpusAllowed === null)
      return [`The log of pod ${pod} does not say on which CPUs it runs; planned were ${cpusPlanned}.`];
    return sameCpus(cpusPlanned, cpusAllowed)
      ? []
      : [`Pod ${pod} may run on CPUs ${cpusAllowed}; planned were ${cpusPlanned}.`];
  });
  if (servers.length !== plan.instances)
    reasons.push(`${plural(servers.length, "server pod")} measured; planned were ${plan.instances}.`);
  return reasons;
}

function wrongClientCpus({ plan, environment }: Facts): string[] {
  if (!plan?.clientCpus || sameCpus(plan.clientCpus, environment.clientCpus)) return [];
  return [`The client may run on CPUs ${environment.clientCpus}; planned were ${plan.clientCpus}.`];
}

function uneven({ load, servers }: Facts): string[] {
  const { clients } = load.requested;
  if (clients < servers.length || clients % servers.length === 0) return [];
  return [`${plural(clients, "client")} cannot be spread evenly over ${plural(servers.length, "server")}.`];
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
