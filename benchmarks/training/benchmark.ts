import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Bundle } from "../../bundle.ts";
import { labelsOf } from "../../components/labels.ts";
import { API_VERSION, GROUP, KIND, PLURAL } from "../../components/training/definition.ts";
import { tfJobSpec } from "../../components/training/tfJob.ts";
import { UserError } from "../../error.ts";
import { Collector, READ_LOGS } from "../collector.ts";
import { experimentKey } from "../key.ts";
import { parseTrainingResult, type TrainingResult } from "./result.ts";
import type { TrainingSpec, TrainingThresholds } from "./spec.ts";

export interface TrainingBenchmarkArgs {
  readonly namespace: string;
  /** Network, images, steps; how many workers and parameter servers. */
  readonly requested: TrainingResult["requested"];
  /** CPU that each process requests. */
  readonly cpu: string;
  /** Memory that each process may use. */
  readonly memory: string;
  /** After this long the training has failed, whatever it is doing. */
  readonly timeoutSeconds: number;
  readonly thresholds: TrainingThresholds;
  /** Raise it to train the same again. */
  readonly rerun: number;
  /** Images with TensorFlow and with Node.js. */
  readonly images: { readonly training: string; readonly node: string };
  /** Secret with which they are pulled. @default - anybody may */
  readonly pullSecret?: string;
  /** The training, by the name of the file. */
  readonly program: Readonly<Record<string, string>>;
  readonly collector: Bundle;
}

/** Between the end of the training and the end of the collector: a start, and reading logs. */
const OVERHEAD_SECONDS = 180;
/** Where the chief tells the others that it is done. */
const CHIEF_PORT = 2223;

/**
 * Trains a network for a while as a TFJob and hands back how fast that was. The experiment's key is in all names: runs share
 * nothing, and nothing runs again while nothing changes.
 */
export class TrainingBenchmark extends pulumi.ComponentResource {
  readonly key: string;
  readonly result: pulumi.Output<TrainingResult>;

  constructor(name: string, args: TrainingBenchmarkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:benchmarks:TrainingBenchmark", name, {}, opts);
    const { namespace, program, images, timeoutSeconds, collector } = args;
    const spec = trainingSpec(name, args);
    const labels = labelsOf("training", name);
    const programName = `${name}-program-${spec.key}`;
    this.key = spec.key;

    const code = new k8s.core.v1.ConfigMap(
      programName,
      { metadata: { namespace, name: programName, labels }, data: { ...program } },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    const job = new k8s.apiextensions.CustomResource(
      spec.job.name,
      {
        apiVersion: API_VERSION,
        kind: KIND,
        // How it ends is for the collector to say.
        metadata: { namespace, name: spec.job.name, labels, annotations: { "pulumi.com/skipAwait": "true" } },
        spec: tfJobSpec({
          ...args,
          ...args.requested,
          image: images.training,
          program: programName,
          labels,
          options: { ...args.requested, port: CHIEF_PORT, patienceSeconds: timeoutSeconds },
          seconds: timeoutSeconds,
        }),
      },
      { parent: this, dependsOn: [code] },
    );
    const { data } = new Collector(
      name,
      {
        namespace,
        key: spec.key,
        image: images.node,
        pullSecret: args.pullSecret,
        program: collector,
        spec,
        result: spec.result.configMap,
        rules: [
          ...READ_LOGS,
          { apiGroups: [GROUP], resources: [PLURAL], resourceNames: [spec.job.name], verbs: ["get"] },
        ],
        seconds: timeoutSeconds + OVERHEAD_SECONDS,
      },
      { parent: this, dependsOn: [job] },
    );
    this.result = data.apply((written) => readResult(written["result.json"], spec));
    this.registerOutputs({ key: this.key });
  }
}

/** The experiment as its collector reads it. Its key covers all of it and the programs. */
export function trainingSpec(name: string, args: TrainingBenchmarkArgs): TrainingSpec {
  const { namespace, requested, timeoutSeconds, thresholds, images, rerun, program, collector, cpu, memory } = args;
  const chosen = { requested, timeoutSeconds, thresholds, about: { images, cpu, memory, rerun } };
  const key = experimentKey({ chosen, program, collector: collector.hash });
  return {
    key,
    ...chosen,
    job: { namespace, name: `${name}-${key}` },
    result: { namespace, configMap: `${name}-result-${key}` },
  };
}

function readResult(text: string | undefined, { key, result }: TrainingSpec): TrainingResult {
  const where = `ConfigMap ${result.namespace}/${result.configMap}`;
  if (!text)
    throw new pulumi.RunError(
      `The training has ended, but ${where} holds no result; set training.rerun to train again.`,
    );
  try {
    const parsed = parseTrainingResult(text);
    if (parsed.key !== key) throw new UserError(`${where} holds the result of training ${parsed.key}, not ${key}.`);
    return parsed;
  } catch (error) {
    throw new pulumi.RunError((error as Error).message);
  }
}
