import type { TrainingResult } from "./result.ts";

/** What the TrainingBenchmark component asks of the program that reads a training's logs: the whole experiment as data. */
export interface TrainingSpec {
  /** Hash of everything that was chosen; names the TFJob and the result. */
  readonly key: string;
  readonly requested: TrainingResult["requested"];
  readonly job: { readonly namespace: string; readonly name: string };
  /** How long it may take until the training has ended. */
  readonly timeoutSeconds: number;
  readonly thresholds: TrainingThresholds;
  /** Where the result goes: a ConfigMap that exists already, with an empty `result.json`. */
  readonly result: { readonly namespace: string; readonly configMap: string };
  readonly about: TrainingResult["about"];
}

/** What makes a training INVALID. Shares are 0..1. */
export interface TrainingThresholds {
  /** Largest relative difference of any worker's rate between the halves of its steps. */
  readonly maxDrift: number;
}
