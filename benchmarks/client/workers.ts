import { UserError } from "../../error.ts";
import type { WorkerSet } from "../spec.ts";
import { now } from "./clock.ts";
import type { Experiment, Hooks } from "./engine.ts";
import type { Kubernetes } from "./kubernetes.ts";
import { lostPart } from "./lostPart.ts";
import type { Part } from "./part.ts";
import { mergeTicks } from "./recorder.ts";
import { RemoteWorker, type WorkerRun } from "./remoteWorker.ts";
import type { WaitOptions } from "./servers.ts";
import { fateOf, waitForWorkers } from "./workerPods.ts";

/** From the word to start until the start, so that all have heard it. */
const leadMs = 500;
/** To start threads, connect, and encode the inputs. */
const readyMs = 60_000;

/** The worker pods of an experiment. */
export class Workers {
  readonly #kubernetes: Kubernetes;
  readonly #set: WorkerSet;
  readonly #workers: readonly RemoteWorker[];

  private constructor(kubernetes: Kubernetes, set: WorkerSet, workers: readonly RemoteWorker[]) {
    this.#kubernetes = kubernetes;
    this.#set = set;
    this.#workers = workers;
  }

  /**
   * Waits for the pods and measures how far their clocks are ahead.
   *
   * @throws UserError if they do not come, do not answer, or do not take the token
   */
  static async gather(kubernetes: Kubernetes, set: WorkerSet, token: string, options: WaitOptions): Promise<Workers> {
    const pods = await waitForWorkers(kubernetes, set, options);
    const all = pods.map((pod) => new RemoteWorker(pod, set.port, token));
    const workers = new Workers(kubernetes, set, all);
    try {
      await Promise.all(all.map((worker) => worker.meet()));
    } catch (error) {
      await workers.end(false);
      throw error;
    }
    for (const { name, offsetMs } of all)
      options.say(`worker ${name}: its clock is ${offsetMs.toFixed(2)} ms ahead of the coordinator's`);
    return workers;
  }

  /**
   * Lets all of them run the experiment, each its share, from one moment on. One that is lost while it measures does not hold up
   * the others; in the place of its parts there is one that says so.
   *
   * @throws UserError if one of them cannot begin, or none is left: there is nothing to measure
   */
  async run(experiment: Experiment, threads: number, { signal, rate, onTick }: Hooks): Promise<Part[]> {
    const { inputs: _, ...told } = experiment; // each worker has its own
    const of = this.#workers.length;
    const runs = this.#workers.map((worker, index) =>
      worker.run({ experiment: { ...told, name: worker.name, share: { index, of } }, threads }),
    );
    const stop = () => {
      for (const worker of this.#workers) worker.call("POST", "/stop").catch(() => {}); // a lost one is noticed by its run
    };
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    const unsubscribe = rate?.subscribe((change) =>
      this.#tell("PUT", "/rate", "a change of the rate", ({ offsetMs }) => ({ ...change, at: change.at + offsetMs })),
    );
    const ticking = setInterval(() => {
      const ticks = runs.flatMap(({ tick }) => tick ?? []);
      if (ticks.length > 0) onTick?.(mergeTicks(ticks));
    }, 1000);
    try {
      const startAt = await this.#start(runs);
      const parts = await Promise.all(
        runs.map((run, i) =>
          run.parts.catch(async (error: Error) => {
            run.tick = undefined;
            const worker = this.#workers[i]!;
            const fault = await this.#sentence(worker, error, "while it measured");
            return [lostPart({ ...told, name: worker.name, startAt }, `${fault} What it measured is missing.`)];
          }),
        ),
      );
      const all = parts.flat();
      if (all.every(({ fault, counts }) => fault && counts.sent === 0))
        throw new UserError(`Nothing was measured. ${all.map(({ fault }) => fault).join(" ")}`);
      return all;
    } finally {
      clearInterval(ticking);
      unsubscribe?.();
      signal?.removeEventListener("abort", stop);
    }
  }

  /** Waits until all are connected and tells them when to start; returns when that is. */
  async #start(runs: readonly WorkerRun[]): Promise<number> {
    const late = setTimeout(() => {
      for (const worker of this.#workers) worker.giveUp(`not all workers were ready after ${readyMs / 1000} s`);
    }, readyMs);
    const failed = async (worker: RemoteWorker, error: Error) => {
      throw new UserError(`Nothing was measured. ${await this.#sentence(worker, error, "before it could begin")}`);
    };
    try {
      await Promise.all(runs.map(({ ready }, i) => ready.catch((error) => failed(this.#workers[i]!, error))));
    } finally {
      clearTimeout(late);
    }
    const startAt = Math.ceil(now() + leadMs);
    this.#tell("POST", "/start", "the word to start", ({ offsetMs }) => ({ at: startAt + offsetMs }));
    return startAt;
  }

  /** Tells every worker something that it must hear in time; one that does not is lost. */
  #tell(method: "POST" | "PUT", path: string, what: string, body: (worker: RemoteWorker) => unknown): void {
    for (const worker of this.#workers)
      worker
        .call(method, path, body(worker))
        .catch((error: Error) => worker.giveUp(`it did not get ${what}: ${error.message}`));
  }

  async #sentence({ name }: RemoteWorker, error: Error, when: string): Promise<string> {
    if (error instanceof UserError) return `Worker pod ${name} could not measure: ${error.message}`;
    const fate = await fateOf(this.#kubernetes, this.#set, name);
    return `Worker pod ${name} was lost ${when}: ${error.message}; the pod ${fate}.`;
  }

  /** Sends them home. `measured`: whether there is a result. */
  async end(measured: boolean): Promise<void> {
    await Promise.all(
      this.#workers.map((worker) => worker.call("POST", "/end", { measured }).catch(() => {})), // a lost one is gone
    );
  }
}
