import { UserError } from "../../error.ts";
import type { Result } from "../result.ts";
import type { BenchmarkSpec } from "../spec.ts";
import { resolveAddresses } from "./addresses.ts";
import { assemble } from "./assemble.ts";
import { throttledShare } from "./cgroup.ts";
import { type Control, startControl } from "./control.ts";
import type { Experiment, Hooks } from "./engine.ts";
import { readInputs } from "./inputs.ts";
import type { Kubernetes } from "./kubernetes.ts";
import { merge } from "./merge.ts";
import { Rates } from "./rates.ts";
import {
  changes,
  misplacements,
  observeServers,
  readServerThrottling,
  type WaitOptions,
  waitForServers,
} from "./servers.ts";
import { ServerWatch } from "./serverWatch.ts";
import { table, tickLine } from "./table.ts";
import { runThreads } from "./threads.ts";
import { Workers } from "./workers.ts";

/** What stands before the servers learns of them, and of its own routes and certificate, with some delay. */
const patienceSeconds = 30;
/** A line about the last second is printed each time this many of them have passed. */
const progressEverySeconds = 5;
/** Between two looks at servers that an autoscaler adds and removes: so exact are the times of its reaction. */
const watchMs = 500;

export interface CoordinateOptions extends WaitOptions {
  /** Address the control endpoint listens on; absent: all there are. */
  readonly host?: string;
  /** What the workers and the users of the control endpoint have to know; needed with either. */
  readonly token?: string;
  /** The live page, as HTML; absent: there is none. */
  readonly page?: string;
  /** Name of this pod. */
  readonly name: string;
}

/**
 * The benchmark Job: waits for the planned servers, measures them (itself, or with workers), and puts the result where the
 * program reads it. Whatever was measured is a success; the verdict is in the result.
 *
 * @throws UserError if there was nothing to measure or the result could not be written
 */
export async function coordinate(
  spec: BenchmarkSpec,
  inputsFolder: string,
  kubernetes: Kubernetes,
  options: CoordinateOptions,
): Promise<Result> {
  const { load } = spec;
  const rates = new Rates();
  const { host, page } = options;
  const control =
    spec.control && (await startControl({ host, ...spec.control, token: tokenOf(options), load, rates, page }));
  try {
    return await measureAndKeep(spec, inputsFolder, kubernetes, options, { rates, control });
  } finally {
    await control?.close();
  }
}

async function measureAndKeep(
  spec: BenchmarkSpec,
  inputsFolder: string,
  kubernetes: Kubernetes,
  options: CoordinateOptions,
  { rates, control }: { rates: Rates; control: Control | undefined },
): Promise<Result> {
  const { say, signal } = options;
  const { target, load, servers, thresholds } = spec;
  const inputs = spec.workers ? [] : readInputs(inputsFolder); // workers read theirs
  const pods = await waitForServers(kubernetes, servers, servers.host ?? target.host, options);
  const observed = await observeServers(kubernetes, servers, pods);
  for (const { pod, address, cpusAllowed } of observed)
    say(`server ${pod} at ${address} on CPUs ${cpusAllowed ?? "that its log does not name"}`);
  const isBehind = servers.host !== undefined;
  const addresses = isBehind
    ? await resolveAddresses(target.host, target.port)
    : observed.map(({ address }) => ({ ip: address, port: target.port }));
  const patience = isBehind ? { patienceSeconds } : {};
  const follows = spec.scaling && { follows: true, slo: spec.scaling.slo };
  const experiment: Experiment = { name: options.name, target, load, inputs, addresses, ...patience, ...follows };
  let ticks = 0;
  const hooks: Hooks = {
    signal,
    rate: rates,
    resolve: options.resolve,
    onTick: (tick) => {
      control?.tick(tick);
      if (ticks++ % progressEverySeconds === 0) say(tickLine(tick));
    },
  };
  const threads = spec.threads ?? 1;
  const workers = spec.workers && (await Workers.gather(kubernetes, spec.workers, tokenOf(options), options));
  let measured = false;
  const watch = spec.scaling && new ServerWatch(kubernetes, servers, say);
  watch?.start(options.intervalMs ?? watchMs);
  try {
    const before = await readServerThrottling(kubernetes, servers, pods);
    const parts = await (workers ? workers.run(experiment, threads, hooks) : runThreads(experiment, threads, hooks));
    const throttling = await readServerThrottling(kubernetes, servers, pods);
    const after = await kubernetes.listPods(servers.namespace, servers.selector);
    const watched = await watch?.stop();
    const result = assemble(merge(parts, { load, target, events: rates.changes }), {
      key: spec.key,
      plan: { hash: servers.planHash, instances: servers.count, clientCpus: spec.clientCpus ?? null },
      about: spec.about,
      servers: (watched?.servers ?? observed).map((server) => ({
        ...server,
        throttledShare: throttledShare(before.get(server.pod) ?? null, throttling.get(server.pod) ?? null),
      })),
      thresholds,
      seen: [...misplacements(servers, pods, observed), ...(watched?.faults ?? changes(pods, after, servers))],
      ...(spec.scaling && {
        scaling: {
          ...spec.scaling,
          min: servers.count,
          max: servers.max ?? servers.count,
          looks: watched!.looks,
        },
      }),
    });
    say(table(result));
    const { namespace, configMap } = spec.result;
    await kubernetes.patchConfigMap(namespace, configMap, "result.json", JSON.stringify(result));
    measured = true;
    return result;
  } finally {
    await watch?.stop();
    await workers?.end(measured);
  }
}

function tokenOf({ token }: CoordinateOptions): string {
  if (token) return token;
  throw new UserError("The experiment has workers or a control endpoint, but this pod was given no token for them.");
}
