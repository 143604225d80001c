import type { StepLine } from "../../../benchmarks/training/log.ts";
import type { TrainingSpec } from "../../../benchmarks/training/spec.ts";

/** Two workers, eight measured steps each of four images. */
export const spec: TrainingSpec = {
  key: "0123456789ab",
  requested: {
    model: "resnet50",
    imageSize: 64,
    classes: 1000,
    batch: 4,
    steps: 8,
    warmupSteps: 2,
    workers: 2,
    ps: 1,
    learningRate: 0.01,
    seed: 0,
  },
  job: { namespace: "serving", name: "training-0123456789ab" },
  timeoutSeconds: 5,
  thresholds: { maxDrift: 0.2 },
  result: { namespace: "results", configMap: "result" },
  about: {},
};

const machine = { kernel: "6.1", cpuModel: "CPU", cpus: 2, tensorflow: "2.21.0", python: "3.11.2" };
const line = (facts: object) => `training ${JSON.stringify(facts)}`;
const noise = "I0000 00:00:1795282487.849068   12497 port.cc:153] oneDNN custom operations are on.";

/** The nth step, at every half second, takes 0.4 s. */
export const stepLine = (phase: string, n: number): StepLine => ({
  event: "step",
  phase,
  begin: 100 + n / 2,
  end: 100 + n / 2 + 0.4,
  loss: "7",
});

/** Logs by `role-index`. */
export function trainingLogs(): Record<string, string> {
  const steps = [
    ...[0, 1].map((n) => stepLine("warmup", n)),
    ...Array.from({ length: 8 }, (_, n) => stepLine("measure", n + 4)),
  ];
  const worker = [
    noise,
    line({ event: "ready", ...machine }),
    ...steps.flatMap((step) => [line(step), noise]),
    line({ event: "end" }),
  ];
  const phase = (name: string, count: number, begin: number, end: number) =>
    line({ event: "phase", phase: name, steps: count, images: count * 4, begin, end, cpuSeconds: 1, loss: "7" });
  const chief = [
    line({ event: "waiting", workers: 2, ps: 1 }),
    line({ event: "start", parameters: 25_557_032, ...machine }),
    phase("warmup", 4, 100, 101),
    phase("measure", 16, 102, 106),
    line({ event: "end" }),
  ];
  return {
    "chief-0": chief.join("\n"),
    "worker-0": worker.join("\n"),
    "worker-1": worker.join("\n"),
    "ps-0": [line({ event: "ready", ...machine }), line({ event: "end" })].join("\n"),
  };
}
