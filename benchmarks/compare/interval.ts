import jStat from "jstat";

/** How many times as large one side's values are as the other's, with what can be said about it from repeated runs. */
export interface Ratio {
  /** Geometric mean of the new values over that of the base's. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** The change, as a ratio above 1, that such runs would show 9 times of 10. */
  readonly detectable: number;
}

/** A histogram keeps three digits: runs that agree more closely than that agree by rounding. */
const resolution = 0.001;
const power = 0.9;

/**
 * Interval for the ratio of two sides, from one value for each run: Welch's t on the logarithms, because noise of rates and
 * latencies is relative, and because the sides need not vary equally. A run that stands out widens the interval and so makes
 * no false alarm.
 *
 * @param base at least two values, all above 0
 * @param now as `base`
 * @param alarmRate share (0 to 1) of comparisons of equal sides in which the whole interval lies above 1; below 1, as many
 */
export function ratioInterval(base: readonly number[], now: readonly number[], alarmRate: number): Ratio {
  const [a, b] = [base, now].map((values) => moments(values.map(Math.log)));
  const [va, vb] = [a!, b!].map(({ variance, count }) => Math.max(variance, resolution ** 2) / count) as [
    number,
    number,
  ];
  const error = Math.sqrt(va + vb);
  const freedom = (va + vb) ** 2 / (va ** 2 / (a!.count - 1) + vb ** 2 / (b!.count - 1));
  const half = jStat.studentt.inv(1 - alarmRate, freedom) * error;
  const centre = b!.mean - a!.mean;
  return {
    ratio: Math.exp(centre),
    low: Math.exp(centre - half),
    high: Math.exp(centre + half),
    detectable: Math.exp(half + jStat.studentt.inv(power, freedom) * error),
  };
}

function moments(values: readonly number[]): { count: number; mean: number; variance: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return { count, mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1) };
}
