import { type Static, Type } from "typebox";
import { amount, byName, count, instant, object, orNull, parseAs, ResultSchema, text } from "../result.ts";

/**
 * The result of one training benchmark: the one definition, from which come the type, the check and the published
 * `result.schema.json` (JSON Schema 2020-12; `node benchmarks/training/result.ts` writes it anew). It has the verdict of a
 * benchmark result, and of its environment what a training has too.
 */
export const trainingSchemaVersion = 1;

const worker = object("One worker.", {
  pod: text("Name of the pod."),
  node: text("Name of its node."),
  imagesPerSecond: orNull(
    amount("Images of its measured steps over the time from the start of the first to the end of the last."),
    "without measured steps",
  ),
  images: count("Images of its measured steps."),
  steps: count("Measured steps it computed; the faster a worker, the more it gets."),
  stepMs: object("Time of a measured step, in milliseconds.", {
    mean: orNull(amount("Arithmetic mean."), "without measured steps"),
    max: orNull(amount("Longest."), "without measured steps"),
  }),
  drift: orNull(
    Type.Number({
      description:
        "Rate of the second half of its measured steps relative to the first, less one: -0.1 is 10 % slower.",
    }),
    "with fewer than 4 steps",
  ),
  restarts: count("How often it was lost and started again."),
});

const process = object("One process of the training.", {
  pod: text("Name of the pod."),
  role: Type.Enum(["chief", "worker", "ps"], { description: "`ps` is a parameter server." }),
  node: text("Name of its node."),
  cpus: orNull(count("CPUs it could use."), "if its log does not say"),
  images: Type.Array(Type.String(), { description: "Images that really ran in it, with their digests." }),
});

export const TrainingResultSchema = Type.Object(
  {
    schemaVersion: Type.Literal(trainingSchemaVersion, { description: "Version of this schema." }),
    key: text("Key of the experiment: a hash of everything that was chosen for it."),
    startedAt: instant("Start of the measured steps (after the warm-up) by the chief's clock, ISO 8601, UTC."),
    endedAt: instant("Their end."),
    verdict: ResultSchema.properties.verdict,
    requested: object("The training that was asked for.", {
      model: Type.Enum(["resnet50", "alexnet"], { description: "Which network." }),
      imageSize: count("Width and height of the images."),
      classes: count("Classes that the network tells apart."),
      batch: count("Images in one step of one worker."),
      steps: count("Measured steps per worker."),
      warmupSteps: count("Steps per worker before them."),
      workers: count("Workers."),
      ps: count("Parameter servers."),
      learningRate: amount("Rate of the gradient descent."),
      seed: count("Seeds the images."),
    }),
    throughput: object("What all workers did together, by the chief's clock.", {
      imagesPerSecond: amount("Images per second."),
      stepsPerSecond: amount("Steps per second."),
    }),
    workers: Type.Array(worker, { description: "Each worker by its own log and clock.", minItems: 1 }),
    counts: object("What was done.", {
      steps: count("Measured steps of all workers."),
      images: count("Images in them."),
      warmupSteps: count("Steps of the warm-up."),
      repeatedSteps: count(
        "Measured steps that the workers' logs have beyond that: those of a lost worker are done again.",
      ),
    }),
    parameters: count("Trainable numbers of the network."),
    loss: object("Cross-entropy; on images of noise it says only whether the arithmetic is right.", {
      first: orNull(amount("Of a worker's first step."), "if it is not a finite number"),
      last: orNull(amount("Of the last measured step."), "if it is not a finite number"),
    }),
    environment: object("What was there, as measured and not as planned.", {
      kernel: text("Kernel release of the chief's node."),
      cpuModel: text("CPU model of the chief's node."),
      versions: object("Versions that ran.", { tensorflow: text("TensorFlow."), python: text("Python.") }),
      processes: Type.Array(process, { description: "Chief, workers and parameter servers." }),
    }),
    about: byName(Type.Unknown(), "Whatever the program wanted to be kept with the result."),
  },
  {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "inference-stack training result",
    description: "How fast a training was, whether the figures can be trusted, and what it ran on.",
    additionalProperties: false,
  },
);

export type TrainingResult = Static<typeof TrainingResultSchema>;

/** @throws UserError that names the first places where the text does not follow the schema */
export const parseTrainingResult = (json: string): TrainingResult => parseAs(TrainingResultSchema, json, "training");

if (import.meta.main) {
  const { writeFileSync } = await import("node:fs");
  writeFileSync(`${import.meta.dirname}/result.schema.json`, `${JSON.stringify(TrainingResultSchema, null, 2)}\n`);
}
