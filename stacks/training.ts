import type * as pulumi from "@pulumi/pulumi";
import { TrainingBenchmark, type TrainingBenchmarkArgs } from "../benchmarks/training/benchmark.ts";
import { bundleCollector, trainingProgram } from "../benchmarks/training/bundle.ts";
import type { Images } from "../components/images.ts";
import { trainingOperator } from "../components/training/install.ts";
import type { Config } from "./schema.ts";

type Parts = Pick<Config, "training" | "cluster" | "engine" | "seldon">;
export const TRAINING_PARTS = ["training", "cluster", "engine", "seldon"] as const satisfies readonly (keyof Parts)[];

/** Width and height of the images, as each network is known for, and the least it can take. */
const IMAGES = { resnet50: { usual: 224, smallest: 32 }, alexnet: { usual: 227, smallest: 67 } };
/** As in ImageNet. */
const CLASSES = 1000;
/** The name that the official manifests have. */
const OFFICIAL_NAMESPACE = "kubeflow";

/** One line for everything about the training that cannot be, with the way out. */
export function trainingProblems({ training, cluster, engine, seldon }: Parts): string[] {
  if (!training.enabled) return [];
  const { model, imageSize, operator, namespace } = training;
  const { smallest } = IMAGES[model];
  return [
    ...(imageSize !== undefined && imageSize < smallest
      ? [`training.imageSize: ${imageSize} is too small for ${model}; it takes images from ${smallest} on`]
      : []),
    ...(operator === "official" && cluster.kind === "embedded"
      ? [
          `training.operator: "official" is not possible on the embedded cluster, which has only the images that are built here; use manifests`,
        ]
      : []),
    ...(operator === "official" && namespace !== OFFICIAL_NAMESPACE
      ? [`training.namespace: ${namespace} is not where the official manifests go; leave it out, or use manifests`]
      : []),
    ...(operator === "manifests" && engine === "seldon" && namespace === seldon.namespace
      ? [`training.namespace: ${namespace} is the namespace of Seldon's operator; each gets one of its own`]
      : []),
  ];
}

/** The operator of TFJobs and one training, if the config asks for it. */
export async function trainingOf(
  name: string,
  config: Pick<Config, "training">,
  args: { readonly namespace: string; readonly images: Images; readonly pullSecret?: string },
  opts: { readonly provider: pulumi.ProviderResource; readonly dependsOn: pulumi.Resource[] },
): Promise<TrainingBenchmark | undefined> {
  if (!config.training.enabled) return undefined;
  const { namespace, images, pullSecret } = args;
  const operator = trainingOperator(
    `${name}-operator`,
    { ...config.training, watched: namespace, image: images["training-operator"] },
    opts,
  );
  const programs = { program: trainingProgram(), collector: await bundleCollector() };
  return new TrainingBenchmark(
    name,
    { namespace, pullSecret, ...trainingArgs(config, images), ...programs },
    { ...opts, dependsOn: [...opts.dependsOn, ...operator] },
  );
}

function trainingArgs(
  { training }: Pick<Config, "training">,
  images: Images,
): Omit<TrainingBenchmarkArgs, "namespace" | "program" | "collector"> {
  const {
    model,
    imageSize = IMAGES[model].usual,
    batch,
    steps,
    warmupSteps,
    workers,
    ps,
    learningRate,
    seed,
  } = training;
  const { cpu, memory, timeout, maxDrift, rerun } = training;
  return {
    requested: { model, imageSize, classes: CLASSES, batch, steps, warmupSteps, workers, ps, learningRate, seed },
    cpu,
    memory,
    timeoutSeconds: timeout,
    thresholds: { maxDrift },
    rerun,
    images: { training: images.training, node: images.node },
  };
}
