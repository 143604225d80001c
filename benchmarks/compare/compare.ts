import { environmentOf } from "../fingerprint.ts";
import { type Cases, casesOf, nameOf, onlyOn, type Runs, sweptLoads } from "./cases.ts";
import { ratioInterval } from "./interval.ts";
import { type Metric, metricsOf } from "./metrics.ts";
import { cautions, obstaclesBetween, validOf } from "./obstacles.ts";

/** Share of comparisons of equal sides in which anything is called slower. */
export const FALSE_ALARM_RATE = 0.01;

/** Results of one side, with where each came from. */
export interface Side {
  readonly name: string;
  readonly runs: Runs;
}

export type Decision = "slower" | "faster" | "no difference found";

export interface MetricComparison {
  readonly metric: string;
  readonly unit: string;
  readonly better: Metric["better"];
  /** One value for each valid run. */
  readonly base: readonly number[];
  readonly new: readonly number[];
  /** New over base, of the geometric means, and its interval. */
  readonly ratio: number;
  readonly interval: readonly [low: number, high: number];
  /** The smallest slow-down, as a share, that such runs show 9 times of 10. */
  readonly detectable: number;
  readonly decision: Decision;
}

/** The same load on the same model, on both sides. */
export interface Case {
  readonly name: string;
  readonly runs: { readonly base: number; readonly new: number };
  /** Runs that were left out because they are INVALID: file, and why. */
  readonly invalid: readonly { readonly file: string; readonly reasons: readonly string[] }[];
  readonly environment: string;
  /** Why the sides cannot be compared; then there are no metrics. */
  readonly obstacles: readonly string[];
  readonly notes: readonly string[];
  readonly metrics: readonly MetricComparison[];
}

export interface Comparison {
  readonly format: "inference-stack/comparison-1";
  readonly verdict: "slower" | "not slower" | "not comparable";
  readonly base: string;
  readonly new: string;
  /** Of the intervals: two-sided, as a share. */
  readonly confidence: number;
  readonly falseAlarmRate: number;
  readonly cases: readonly Case[];
  readonly notes: readonly string[];
}

export interface CompareOptions {
  /** Differences that are meant, such as `kernel`. */
  readonly accept?: readonly string[];
  /** Share of comparisons of equal sides in which anything is called slower. Default 0.01. */
  readonly falseAlarmRate?: number;
}

/**
 * Whether the new results are slower than the base's. The two sides must have been measured in the same environment, each at least
 * three times with a VALID result; everything else is not comparable.
 */
export function compare(base: Side, now: Side, options: CompareOptions = {}): Comparison {
  const { falseAlarmRate = FALSE_ALARM_RATE, accept = [] } = options;
  const swept = new Set([...sweptLoads(base.runs), ...sweptLoads(now.runs)]);
  const cases = ({ runs }: Side): Cases => casesOf(runs, (load) => swept.has(load));
  const [before, after] = [cases(base), cases(now)];
  const common = [...before.keys()].filter((key) => after.has(key));
  const pairs = common.map((key) => pairOf(before.get(key)!, after.get(key)!, accept));
  // Each metric takes an equal part of the false alarms that are allowed to all of them together.
  const tests = pairs.reduce((sum, { metrics }) => sum + metrics.length, 0);
  const alarmRate = falseAlarmRate / Math.max(1, tests);
  const decided = pairs.map(
    (pair): Case => ({ ...pair, metrics: pair.metrics.map((each) => decide(each, alarmRate)) }),
  );
  return {
    format: "inference-stack/comparison-1",
    verdict: verdictOf(decided),
    base: base.name,
    new: now.name,
    confidence: 1 - 2 * alarmRate,
    falseAlarmRate,
    cases: decided,
    notes: [
      ...onlyOn(base.name, before, after),
      ...onlyOn(now.name, after, before),
      ...(common.length > 0
        ? []
        : [`No load was measured on both sides: ${base.name} and ${now.name} have nothing in common.`]),
    ],
  };
}

function verdictOf(cases: readonly Case[]): Comparison["verdict"] {
  if (cases.some(({ metrics }) => metrics.some(({ decision }) => decision === "slower"))) return "slower";
  const isCompared = cases.length > 0 && cases.every(({ metrics }) => metrics.length > 0);
  return isCompared ? "not slower" : "not comparable";
}

interface Values extends Metric {
  readonly base: readonly number[];
  readonly new: readonly number[];
}

function pairOf(base: Runs, now: Runs, accept: readonly string[]) {
  const [a, b] = [base, now].map(validOf) as [Runs, Runs];
  const invalid = [...base, ...now].flatMap(({ file, result: { verdict } }) =>
    verdict.valid ? [] : [{ file, reasons: verdict.reasons }],
  );
  const first = a[0] ?? base[0]!;
  const obstacles = obstaclesBetween(base, now, accept);
  const { kernel, cpuModel, nodejs } = environmentOf(first.result);
  return {
    name: nameOf(first),
    runs: { base: a.length, new: b.length },
    invalid,
    environment: `${cpuModel}, kernel ${kernel}, Node.js ${nodejs}`,
    obstacles,
    ...(obstacles.length > 0 ? { notes: [], metrics: [] } : compared(a, b)),
  };
}

function compared(base: Runs, now: Runs): { notes: string[]; metrics: Values[] } {
  const metrics = valuesOf(base, now);
  const left = metricsOf(base[0]!.result).filter(({ metric }) => !metrics.some((each) => each.metric === metric));
  const missing = left.map(({ metric }) => `Without ${metric}: not every run has enough samples for it.`);
  return { metrics, notes: [...missing, ...cautions(base, now)] };
}

/** A figure that some run does not have, for want of samples, is not compared. */
function valuesOf(base: Runs, now: Runs): Values[] {
  return metricsOf(base[0]!.result).flatMap((metric) => {
    const [a, b] = [base, now].map((runs) => runs.map(({ result }) => metric.of(result)));
    return isWhole(a!) && isWhole(b!) ? [{ ...metric, base: a!, new: b! }] : [];
  });
}

const isWhole = (values: readonly (number | null)[]): values is readonly number[] =>
  values.every((value) => value !== null && value > 0);

function decide({ metric, unit, better, base, new: now }: Values, alarmRate: number): MetricComparison {
  const { ratio, low, high, detectable } = ratioInterval(base, now, alarmRate);
  const [above, below]: Decision[] = better === "higher" ? ["faster", "slower"] : ["slower", "faster"];
  const decision = low > 1 ? above! : high < 1 ? below! : "no difference found";
  const slowDown = better === "higher" ? 1 - 1 / detectable : detectable - 1;
  return { metric, unit, better, base, new: now, ratio, interval: [low, high], detectable: slowDown, decision };
}
