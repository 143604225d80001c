/** What a deployment occupies. */
export interface Occupied {
  readonly nodes: number;
  /** Cores given to the servers, of all nodes together. */
  readonly cores: number;
}

/** What things cost, in one currency; what is left out costs nothing. */
export interface Prices {
  readonly nodeHour?: number;
  readonly coreHour?: number;
  readonly kilowattHour?: number;
}

/** Power from a table and not measured, in watts. */
export interface Watts {
  /** Of a node that serves, without its serving cores. */
  readonly node?: number;
  /** Of each core given to the servers, in use. */
  readonly core?: number;
}

/** A configuration with what it was measured to do. */
export interface Candidate {
  readonly inferencesPerSecond: number;
  readonly latencyMs: number;
  /** In the currency of the prices; null without prices. */
  readonly costPer1000: number | null;
  /** In joules; null without a table of watts. */
  readonly joulesPerInference: number | null;
}

export function candidateOf(
  measured: Pick<Candidate, "inferencesPerSecond" | "latencyMs">,
  { nodes, cores }: Occupied,
  prices: Prices,
  watts: Watts,
): Candidate {
  const power = nodes * (watts.node ?? 0) + cores * (watts.core ?? 0);
  const perHour =
    nodes * (prices.nodeHour ?? 0) + cores * (prices.coreHour ?? 0) + (power / 1000) * (prices.kilowattHour ?? 0);
  const { inferencesPerSecond } = measured;
  return {
    ...measured,
    costPer1000: Object.keys(prices).length > 0 ? (perHour / (inferencesPerSecond * 3600)) * 1000 : null,
    joulesPerInference: Object.keys(watts).length > 0 ? power / inferencesPerSecond : null,
  };
}

export const objectives = ["throughput", "cost", "energy"] as const;
export type Objective = (typeof objectives)[number];

/** Limits that a winner has to keep. */
export interface Constraints {
  readonly minThroughput?: number;
  readonly maxCostPer1000?: number;
  readonly maxJoulesPerInference?: number;
}

/** Smaller is better. Infinite where there is nothing to judge by. */
const lossOf: Readonly<Record<Objective, (candidate: Candidate) => number>> = {
  throughput: ({ inferencesPerSecond }) => -inferencesPerSecond,
  cost: ({ costPer1000 }) => costPer1000 ?? Number.POSITIVE_INFINITY,
  energy: ({ joulesPerInference }) => joulesPerInference ?? Number.POSITIVE_INFINITY,
};

export function keeps(
  { inferencesPerSecond, costPer1000, joulesPerInference }: Candidate,
  limits: Constraints,
): boolean {
  const { minThroughput = 0, maxCostPer1000, maxJoulesPerInference } = limits;
  const within = (value: number | null, most: number | undefined) =>
    most === undefined || (value !== null && value <= most);
  return (
    inferencesPerSecond >= minThroughput &&
    within(costPer1000, maxCostPer1000) &&
    within(joulesPerInference, maxJoulesPerInference)
  );
}

/** Those that keep the limits, the best first; of equals the one with the lower latency. */
export function ranked<T extends Candidate>(candidates: readonly T[], objective: Objective, limits: Constraints): T[] {
  const loss = lossOf[objective];
  return candidates
    .filter((candidate) => keeps(candidate, limits))
    .sort((a, b) => loss(a) - loss(b) || a.latencyMs - b.latencyMs);
}

/** Those than which no other is at least as good in everything and better in something. */
export function paretoOf<T extends Candidate>(candidates: readonly T[]): T[] {
  const losses = (candidate: T) => [...objectives.map((name) => lossOf[name](candidate)), candidate.latencyMs];
  const beats = (a: readonly number[], b: readonly number[]) =>
    a.every((value, index) => value <= b[index]!) && a.some((value, index) => value < b[index]!);
  return candidates.filter((candidate) => !candidates.some((other) => beats(losses(other), losses(candidate))));
}
