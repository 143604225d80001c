import * as pulumi from "@pulumi/pulumi";
import type { Bundle } from "../../bundle.ts";
import { Locust, type LocustArgs } from "../../components/load/locust.ts";
import { type Run, runTime } from "../../components/load/locustPods.ts";
import { Collector, READ_LOGS } from "../collector.ts";
import { experimentKey } from "../key.ts";
import { parseResult, type Result } from "../result.ts";
import type { ServerSet, Target, Thresholds } from "../spec.ts";
import type { LocustSpec, LocustTables } from "./spec.ts";

export interface LocustRunArgs extends Pick<LocustArgs, "namespace" | "image" | "inputs" | "program" | "workers"> {
  readonly target: Target;
  readonly run: Run;
  /** A request without a reply after this long has failed. */
  readonly timeoutSeconds: number;
  readonly seed: number;
  readonly thresholds: Thresholds;
  readonly servers: ServerSet;
  /** Image of the servers: another one is another experiment. */
  readonly serverImage: string;
  /** Raise it to run the same again. */
  readonly rerun: number;
  /** Image with Node.js, and the program that reads the run's log. */
  readonly node: string;
  readonly collector: Bundle;
}

/** What the Jobs take besides the run: pulling, fetching inputs, reading logs. */
const OVERHEAD_SECONDS = 240;

/** One run of Locust, whose result comes back like that of the load client; and Locust's own tables with it. */
export class LocustRun extends pulumi.ComponentResource {
  readonly key: string;
  readonly result: pulumi.Output<Result>;
  readonly tables: pulumi.Output<LocustTables>;

  constructor(name: string, args: LocustRunArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:benchmarks:LocustRun", name, {}, opts);
    const spec = locustSpec(name, args);
    const { namespace, target, timeoutSeconds, seed, run, collector } = args;
    this.key = spec.key;
    const locust = new Locust(
      name,
      {
        ...args,
        spec: { target, timeoutSeconds, seed },
        mode: { run: { ...run, key: spec.key, timeoutSeconds: spec.patienceSeconds } },
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    const { data } = new Collector(
      name,
      {
        namespace,
        key: spec.key,
        image: args.node,
        pullSecret: args.inputs.pullSecret,
        program: collector,
        spec,
        result: spec.result.configMap,
        rules: READ_LOGS,
        seconds: spec.patienceSeconds + OVERHEAD_SECONDS,
      },
      { parent: this, dependsOn: [locust] },
    );
    this.result = data.apply((written) => readResult(written["result.json"], spec));
    this.tables = data.apply((written) => ({
      requests: written["requests.csv"] ?? "",
      failures: written["failures.csv"] ?? "",
      exceptions: written["exceptions.csv"] ?? "",
    }));
    this.registerOutputs({ key: this.key });
  }
}

/** The experiment as its collector reads it. Its key covers all of it and the programs. */
export function locustSpec(name: string, args: LocustRunArgs): LocustSpec {
  const { namespace, target, run, workers, timeoutSeconds, seed, thresholds, servers, inputs, rerun } = args;
  const chosen = {
    target,
    users: run.users,
    durationSeconds: run.durationSeconds,
    timeoutSeconds,
    seed,
    workers,
    thresholds,
    servers,
    patienceSeconds: run.readySeconds + runTime(run) + OVERHEAD_SECONDS,
    about: { model: inputs.prefix, images: { client: args.image, server: args.serverImage }, rerun },
  };
  const key = experimentKey({
    chosen,
    spawnRate: run.spawnRate,
    program: args.program,
    collector: args.collector.hash,
  });
  return {
    key,
    ...chosen,
    job: { namespace, name: `${name}-${key}-master` },
    result: { namespace, configMap: `${name}-result-${key}` },
  };
}

function readResult(text: string | undefined, { key, result }: LocustSpec): Result {
  const where = `ConfigMap ${result.namespace}/${result.configMap}`;
  if (!text)
    throw new pulumi.RunError(`Locust has ended, but ${where} holds no result; set locust.rerun to run it again.`);
  try {
    const parsed = parseResult(text);
    if (parsed.key === key) return parsed;
    throw new Error(`${where} holds the result of run ${parsed.key}, not ${key}.`);
  } catch (error) {
    throw new pulumi.RunError((error as Error).message);
  }
}
