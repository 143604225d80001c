import { Console } from "node:console";
import { join } from "node:path";
import { experimentKey } from "../../benchmarks/key.ts";
import type { Result } from "../../benchmarks/result.ts";
import { ratesOf } from "../../benchmarks/search/capacity.ts";
import {
  type Outcome,
  readOutcome,
  SEARCH_FORMAT,
  type Searched,
  winnerOf,
  writeOutcome,
} from "../../benchmarks/search/outcome.ts";
import { judgeAll, type SearchRequest, searchOne } from "../../benchmarks/search/search.ts";
import { searchTable } from "../../benchmarks/search/table.ts";
import { pointInWords } from "../../benchmarks/sweep/axes.ts";
import { type Experiment, type Machine, runsHere } from "../../benchmarks/sweep/plan.ts";
import { type Deployer, inWords, measureCell } from "../../benchmarks/sweep/run.ts";
import { type Run, readRuns, type Settings } from "../../benchmarks/sweep/store.ts";
import { UserError } from "../../error.ts";
import { type Configuration, type Search, searchOf } from "../../stacks/search.ts";
import { tell } from "./start.ts";
import {
  asOnlyRunner,
  interruption,
  machineOf,
  nameSkipped,
  openDeployer,
  type Prepared,
  prepareSweep,
  type SweepOptions,
} from "./sweep.ts";

export interface SearchOptions extends SweepOptions {
  readonly json?: boolean;
  /** Measure the winner again although this search was done already. */
  readonly again?: boolean;
  readonly dryRun?: boolean;
}

/** Finds the best configuration of the stack's `search`. Exit code 1 where there is none. */
export async function search(options: SearchOptions): Promise<number> {
  // Standard output is for the JSON alone; what is told meanwhile goes to the other.
  if (options.json) globalThis.console = new Console(process.stderr);
  const prepared = await prepareSweep(options, "search");
  const wanted = searchOf(prepared.raw, options.stack, prepared.programs);
  const file = join(prepared.folder, "search.json");
  if (options.dryRun) return dryRun(wanted);
  return asOnlyRunner(prepared, async () => {
    const key = keyOf(wanted, machineOf(prepared.raw));
    const kept = options.again ? undefined : readOutcome(file);
    const before = kept?.key === key ? kept : undefined;
    const outcome = before ?? (await searchAll(prepared, wanted, key));
    if (!before) {
      writeOutcome(file, outcome);
      const winner = winnerOf(outcome);
      if (winner) writeOutcome(join(prepared.folder, "winner.json"), winner);
    }
    const { slo } = wanted.request;
    process.stdout.write(`${options.json ? JSON.stringify(outcome, null, 2) : searchTable(outcome, slo)}\n`);
    if (before) tell(`nothing changed since ${before.endedAt}: not searched again (--again does)`);
    return outcome.best === null ? 1 : 0;
  });
}

function dryRun({ configurations, request }: Search): number {
  const rates = ratesOf(request.rates);
  console.log(
    `${configurations.length} configurations, each at some of ${rates.length} rates from ${rates[0]} to ${rates.at(-1)} requests/s`,
  );
  for (const { settings } of configurations) console.log(`  ${pointInWords(settings)}`);
  return 0;
}

/** Equal for searches that ask the same of the same on the same machine. */
function keyOf({ request, configurations, cellAt }: Search, machine: Machine): string {
  const experiments = configurations.map(({ settings }) => cellAt(settings, request.rates.from).experiment!.key);
  return experimentKey({ request, experiments, machine });
}

async function searchAll(prepared: Prepared, wanted: Search, key: string): Promise<Outcome> {
  const { options, folder } = prepared;
  const { runs, skipped } = await readRuns(folder);
  nameSkipped(skipped);
  const request = requestOf(wanted);
  const deployer = await openDeployer(prepared, wanted.common);
  const lab = new Lab(wanted, deployer, runs, { stack: options.stack, folder, machine: machineOf(prepared.raw) });
  const searched: Searched[] = [];
  for (const configuration of wanted.configurations) {
    console.log(`Search of ${pointInWords(configuration.settings)}`);
    searched.push(
      await searchOne(configuration, request, (rate, isFresh) => lab.measure(configuration, rate, isFresh)),
    );
  }
  const { best, pareto } = judgeAll(searched, request);
  const endedAt = new Date().toISOString();
  return { format: SEARCH_FORMAT, key, stack: options.stack, endedAt, request: wanted.request, searched, pareto, best };
}

const requestOf = ({ request }: Search): SearchRequest => ({
  ...request,
  latencyMs: request.slo.latency,
  percentile: request.slo.percentile,
});

/** Makes runs, and takes those that are there already, in the order in which they were made. */
class Lab {
  readonly #wanted: Search;
  readonly #deployer: Deployer;
  readonly #runs: Run[];
  readonly #at: { stack: string; folder: string; machine: Machine };
  readonly #looked = new Map<string, number>();
  readonly #interrupted = interruption();
  #deployed: Experiment | undefined;

  constructor(
    wanted: Search,
    deployer: Deployer,
    runs: readonly Run[],
    at: { stack: string; folder: string; machine: Machine },
  ) {
    this.#wanted = wanted;
    this.#deployer = deployer;
    this.#runs = [...runs];
    this.#at = at;
  }

  async measure({ settings }: Configuration, rate: number, isFresh: boolean): Promise<Result> {
    const point: Settings = { ...settings, "benchmark.load.rate": rate };
    const { experiment } = this.#wanted.cellAt(settings, rate);
    const { key } = experiment!;
    const own = this.#runs.filter(({ cell }) => cell === key);
    if (!isFresh) {
      const position = this.#looked.get(key) ?? 0;
      this.#looked.set(key, position + 1);
      const known = runsHere(own, this.#at.machine).filter(({ isConfirmation }) => !isConfirmation)[position];
      if (known) {
        tell(`${rate} requests/s: ${inWords(known)} (measured before)`);
        return known.result;
      }
    }
    const next = own.reduce((most, { run }) => Math.max(most, run + 1), 0);
    const cell = { settings: point, experiment, problems: [] };
    const at = { ...this.#at, isConfirmation: isFresh };
    const once = () => {
      if (this.#interrupted.aborted) throw new UserError("interrupted; the same command continues here");
      return measureCell(cell, next, this.#deployerAt(settings, rate), this.#deployed, at);
    };
    const run = await once().catch(async (error: Error) => {
      if (this.#interrupted.aborted) throw error;
      tell(`${rate} requests/s: failed, once more: ${error.message}`);
      await this.#deployer.recover?.();
      return once();
    });
    this.#deployed = experiment;
    this.#runs.push(run);
    tell(`${rate} requests/s: ${inWords(run)}${isFresh ? " (the winner, fresh)" : ""}`);
    return run.result;
  }

  /** The length of a run follows from its rate, and is no axis of its own. */
  #deployerAt(settings: Settings, rate: number): Deployer {
    const full = this.#wanted.runOf(settings, rate);
    return { keyOf: (_, run) => this.#deployer.keyOf(full, run), deploy: (_, run) => this.#deployer.deploy(full, run) };
  }
}
