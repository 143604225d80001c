import type { Result } from "../result.ts";
import type { BenchmarkSpec } from "../spec.ts";
import { assemble } from "./assemble.ts";
import { measure } from "./engine.ts";
import { type Input, readInputs } from "./inputs.ts";
import type { Kubernetes } from "./kubernetes.ts";
import { changes, observeServers, type WaitOptions, waitForServers } from "./servers.ts";
import { table, tickLine } from "./table.ts";

/** A line about the last second is printed each time this many of them have passed. */
const progressEverySeconds = 5;

/**
 * The benchmark Job: waits for the planned servers, measures them, and puts the result where the program reads it.
 * Whatever was measured is a success; the verdict is in the result.
 *
 * @throws UserError if there was nothing to measure or the result could not be written
 */
export async function coordinate(
  spec: BenchmarkSpec,
  inputsFolder: string,
  kubernetes: Kubernetes,
  options: WaitOptions,
): Promise<Result> {
  const { say } = options;
  const inputs: Input[] = readInputs(inputsFolder);
  const { target, load, servers, thresholds } = spec;
  const pods = await waitForServers(kubernetes, servers, target.host, options);
  const observed = await observeServers(kubernetes, servers, pods);
  for (const { pod, address, cpusAllowed } of observed)
    say(`server ${pod} at ${address} on CPUs ${cpusAllowed ?? "that its log does not name"}`);
  const addresses = observed.map(({ address }) => ({ ip: address, port: target.port }));
  let ticks = 0;
  const measurement = await measure(
    { target, load, inputs, addresses },
    { signal: options.signal, onTick: (tick) => ticks++ % progressEverySeconds === 0 && say(tickLine(tick)) },
  );
  const after = await kubernetes.listPods(servers.namespace, servers.selector);
  const result = assemble(measurement, {
    key: spec.key,
    plan: { hash: servers.planHash, instances: servers.count, clientCpus: spec.clientCpus ?? null },
    about: spec.about,
    servers: observed,
    thresholds,
    seen: changes(pods, after, servers),
  });
  say(table(result));
  await kubernetes.patchConfigMap(spec.result.namespace, spec.result.configMap, "result.json", JSON.stringify(result));
  return result;
}
