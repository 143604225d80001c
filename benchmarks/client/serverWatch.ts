import type { Look } from "../scaling.ts";
import type { ServerSet } from "../spec.ts";
import { now } from "./clock.ts";
import type { Kubernetes, Pod } from "./kubernetes.ts";
import { countServers, observeServers } from "./servers.ts";

/** What was seen of servers that come and go. */
export interface Watched {
  readonly looks: readonly Look[];
  /** Every server that was Ready at some time. */
  readonly servers: Awaited<ReturnType<typeof observeServers>>;
  /** What makes the run untrustworthy, one sentence each. */
  readonly faults: readonly string[];
}

/** Looks at the servers from time to time while an autoscaler adds and removes them. */
export class ServerWatch {
  readonly #kubernetes: Kubernetes;
  readonly #set: ServerSet;
  readonly #looks: Look[] = [];
  readonly #servers = new Map<string, Watched["servers"][number]>();
  readonly #restarts = new Map<string, number>();
  readonly #faults = new Set<string>();
  readonly #say: (text: string) => void;
  readonly #stopped = Promise.withResolvers<void>();
  #isStopped = false;
  #done: Promise<void> | undefined;

  /** @param say called when the number of servers has changed */
  constructor(kubernetes: Kubernetes, set: ServerSet, say: (text: string) => void) {
    this.#kubernetes = kubernetes;
    this.#set = set;
    this.#say = say;
  }

  /** @param intervalMs between two looks */
  start(intervalMs: number): void {
    const look = async () => {
      while (!this.#isStopped) {
        await this.#look();
        await Promise.race([new Promise((next) => setTimeout(next, intervalMs)), this.#stopped.promise]);
      }
    };
    this.#done = look();
  }

  /** Looks once more and says what was seen. */
  async stop(): Promise<Watched> {
    this.#isStopped = true;
    this.#stopped.resolve();
    await this.#done;
    await this.#look();
    return { looks: this.#looks, servers: [...this.#servers.values()], faults: [...this.#faults] };
  }

  async #look(): Promise<void> {
    const at = now();
    try {
      const pods = await this.#kubernetes.listPods(this.#set.namespace, this.#set.selector);
      const { wanted, ready } = countServers(pods, this.#set);
      const last = this.#looks.at(-1);
      if (last && (last.wanted !== wanted || last.ready !== ready.length))
        this.#say(`servers: ${ready.length} ready of ${wanted}`);
      this.#looks.push({ at, wanted, ready: ready.length });
      if (ready.length < this.#set.count)
        this.#faults.add(`During the run only ${ready.length} of at least ${this.#set.count} servers were Ready.`);
      for (const pod of pods) this.#heed(pod);
      await this.#meet(ready.filter(({ metadata }) => !this.#servers.has(metadata.uid)));
    } catch (error) {
      this.#faults.add(`The servers could not be watched all the time: ${(error as Error).message}`);
    }
  }

  #heed({ metadata: { name, uid }, status }: Pod): void {
    const restarts = status.containerStatuses?.reduce((sum, { restartCount }) => sum + restartCount, 0) ?? 0;
    if (restarts > (this.#restarts.get(uid) ?? restarts)) this.#faults.add(`Pod ${name} was restarted during the run.`);
    this.#restarts.set(uid, restarts);
  }

  async #meet(fresh: readonly Pod[]): Promise<void> {
    const observed = await observeServers(this.#kubernetes, this.#set, fresh);
    observed.forEach((server, i) => {
      this.#servers.set(fresh[i]!.metadata.uid, server);
    });
  }
}
