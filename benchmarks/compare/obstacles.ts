import { environmentChanges, environmentOf } from "../fingerprint.ts";
import { experimentKey } from "../key.ts";
import type { Result } from "../result.ts";
import type { Runs } from "./cases.ts";

/** Fewer repeated runs do not say how much they vary. */
export const MIN_RUNS = 3;

/**
 * Why two sides cannot be compared: too few valid runs, or an environment that differs although nobody chose it to. None: they can.
 *
 * @param accept parts of the environment that may differ
 */
export function obstaclesBetween(base: Runs, now: Runs, accept: readonly string[]): string[] {
  const [a, b] = [base, now].map(validOf) as [Runs, Runs];
  return [
    ...tooFew("the base", a, base),
    ...tooFew("the new side", b, now),
    ...mixed("The base", a),
    ...mixed("The new side", b),
    ...(a.length > 0 && b.length > 0 ? differences(a, b, accept) : []),
  ];
}

export const validOf = (runs: Runs): Runs => runs.filter(({ result }) => result.verdict.valid);

function tooFew(side: string, valid: Runs, all: Runs): string[] {
  if (valid.length >= MIN_RUNS) return [];
  const invalid = all.length - valid.length;
  const because = invalid > 0 ? ` (${invalid} more ${invalid === 1 ? "is" : "are"} INVALID and left out)` : "";
  return [
    `There ${valid.length === 1 ? "is" : "are"} ${valid.length} valid runs of ${side}${because}; ${MIN_RUNS} are needed.`,
  ];
}

/** Repeated runs are of one configuration. */
function mixed(side: string, runs: Runs): string[] {
  const configuration = ({ result: { plan, about } }: Runs[number]) =>
    experimentKey({ plan, about: { ...about, rerun: 0 } });
  const count = new Set(runs.map(configuration)).size;
  return count > 1
    ? [`${side} mixes ${count} configurations (another plan, image or model); name the runs of one.`]
    : [];
}

/** What of the environment differs although nobody chose it to. */
function differences(base: Runs, now: Runs, accept: readonly string[]): string[] {
  const all = [...base, ...now].map(({ result }) => result);
  const phrases = all.slice(1).flatMap((result) => unchosen(all[0]!, result, accept));
  return [...new Set(phrases)].map((phrase) => `Another environment: ${phrase}.`);
}

/** Parts of the environment by the name under which `accept` takes them. */
const PARTS = {
  kernel: "kernel",
  cpu: "cpuModel",
  nodejs: "nodejs",
  client: "client",
  cpus: "serverCpus",
  images: "digests",
} as const;
export const ACCEPTABLE = Object.keys(PARTS);

function unchosen(before: Result, now: Result, accept: readonly string[]): string[] {
  const isSame = (of: (result: Result) => unknown) => JSON.stringify(of(before)) === JSON.stringify(of(now));
  const isStrict = (part: keyof typeof PARTS) => !accept.includes(part);
  const isPlanSame = isSame(({ plan }) => plan);
  const client = ({ environment }: Result) => environment.versions.client.slice(0, 12);
  const keys = [
    ...(["kernel", "cpu", "nodejs"] as const).filter(isStrict).map((part) => PARTS[part]),
    // Other CPUs under the same plan, and other digests under the same names, are not what was changed but what happened.
    ...(isStrict("cpus") && isPlanSame ? (["clientCpus", "serverCpus"] as const) : []),
    ...(isStrict("images") && isSame(({ about }) => about["images"]) ? (["digests"] as const) : []),
  ];
  return [
    ...environmentChanges(environmentOf(before), environmentOf(now), keys),
    ...(isStrict("client") && !isSame(client) ? [`load client ${client(now)} instead of ${client(before)}`] : []),
  ];
}

/** What the reader should know although it does not stand in the way. */
export const cautions = (base: Runs, now: Runs): string[] => (areApart(base, now) ? [SITTINGS] : []);

const SITTINGS =
  "All runs of one side are older than all of the other: what changed on the machine in between counts as a difference. Measure both in turn.";

function areApart(base: Runs, now: Runs): boolean {
  const times = (runs: Runs) => runs.map(({ result }) => Date.parse(result.startedAt));
  const [a, b] = [times(base), times(now)];
  return Math.max(...a) < Math.min(...b) || Math.max(...b) < Math.min(...a);
}
