import { environmentOf } from "../fingerprint.ts";
import type { Outcome } from "../search/outcome.ts";
import type { Skipped, StoredRun } from "../sweep/store.ts";
import { type Cell, cellsOf } from "./cells.ts";
import { p99AgainstRate, throughputAgainst } from "./figures/against.ts";
import { latencyDistribution } from "./figures/distribution.ts";
import type { Figure } from "./figures/figure.ts";
import { heatMaps } from "./figures/heatMap.ts";
import { protocolComparison } from "./figures/protocols.ts";
import { searches } from "./figures/search.ts";

/** Results of one machine and one model: only such stand in one figure. */
export interface Section {
  readonly title: string;
  readonly environment: string;
  readonly cells: readonly Cell[];
  readonly figures: readonly Figure[];
}

export interface Report {
  readonly title: string;
  readonly createdAt: string;
  readonly sections: readonly Section[];
  readonly skipped: readonly Skipped[];
}

/** @param slo milliseconds that p99 must not exceed */
export function reportOf(
  runs: readonly StoredRun[],
  options: {
    title: string;
    createdAt: string;
    skipped: readonly Skipped[];
    slo?: number;
    searches: readonly Outcome[];
  },
): Report {
  const groups = Map.groupBy(runs, (run) => `${environmentInWords(run)}\n${run.result.target.model}`);
  const sections = [...groups.values()].map((own) => sectionOf(own, options.slo, options.searches));
  const { title, createdAt, skipped } = options;
  return { title, createdAt, sections, skipped };
}

function sectionOf(runs: readonly StoredRun[], slo: number | undefined, outcomes: readonly Outcome[]): Section {
  const cells = cellsOf(runs);
  const figures = [
    latencyDistribution(cells),
    throughputAgainst(cells, "clients"),
    throughputAgainst(cells, "instances"),
    p99AgainstRate(cells, slo),
    ...outcomes.flatMap((outcome) => searches(outcome, runs)),
    protocolComparison(cells),
    ...heatMaps(cells),
  ];
  return {
    title: `Model ${runs[0]!.result.target.model}`,
    environment: environmentInWords(runs[0]!),
    cells,
    figures: figures.filter((figure) => figure !== undefined),
  };
}

function environmentInWords({ result }: StoredRun): string {
  const { cpuModel, kernel, nodejs } = environmentOf(result);
  return `${cpuModel}, kernel ${kernel}, load client on Node.js ${nodejs}`;
}

/** `12 runs: 11 VALID, 1 INVALID`. */
export function verdicts(cells: readonly Cell[]): string {
  const all = cells.reduce((sum, { runs }) => sum + runs.length, 0);
  const valid = cells.reduce((sum, cell) => sum + cell.valid.length, 0);
  return `${all} ${all === 1 ? "run" : "runs"}: ${valid} VALID, ${all - valid} INVALID`;
}
