import { UserError } from "../../error.ts";
import { type LogLine, linesOf, type StepLine } from "./log.ts";
import type { TrainingResult } from "./result.ts";
import type { TrainingSpec } from "./spec.ts";

/** One process of the training, as it was found when the training had ended. */
export interface Process {
  readonly pod: string;
  readonly role: "chief" | "worker" | "ps";
  readonly index: number;
  readonly node: string;
  readonly images: readonly string[];
  /** How often it was lost and started again. */
  readonly restarts: number;
  /** Of its log, that of lives before included where it is kept. */
  readonly lines: readonly LogLine[];
}

/**
 * The result that the processes' logs add up to.
 *
 * @throws UserError if the chief's log does not say that the steps were done
 */
export function measure(spec: TrainingSpec, processes: readonly Process[]): TrainingResult {
  const chief = processes.find(({ role }) => role === "chief");
  const [start] = linesOf(chief?.lines ?? [], "start");
  const phases = linesOf(chief?.lines ?? [], "phase");
  const done = phases.find(({ phase }) => phase === "measure");
  if (!start || !done)
    throw new UserError(
      `Nothing was measured: the log of the training's chief, ${chief?.pod ?? "which is gone"}, has no measured steps.`,
    );
  const seconds = done.end - done.begin;
  const workers = processes
    .filter(({ role }) => role === "worker")
    .sort((a, b) => a.index - b.index)
    .map((process) => workerOf(process, spec.requested.batch));
  const steps = workers.reduce((sum, worker) => sum + worker.steps, 0);
  const facts = {
    schemaVersion: 1, // the type holds it to that of result.ts, which the bundle does not carry
    key: spec.key,
    startedAt: new Date(done.begin * 1000).toISOString(),
    endedAt: new Date(done.end * 1000).toISOString(),
    requested: spec.requested,
    throughput: { imagesPerSecond: done.images / seconds, stepsPerSecond: done.steps / seconds },
    workers,
    counts: {
      steps: done.steps,
      images: done.images,
      warmupSteps: phases.find(({ phase }) => phase === "warmup")?.steps ?? 0,
      repeatedSteps: Math.max(0, steps - done.steps),
    },
    parameters: start.parameters,
    loss: lossOf(processes.flatMap(({ lines }) => linesOf(lines, "step"))),
    environment: {
      kernel: start.kernel,
      cpuModel: start.cpuModel,
      versions: { tensorflow: start.tensorflow, python: start.python },
      processes: processes.map(({ pod, role, node, images, lines }) => ({
        pod,
        role,
        node,
        cpus: linesOf(lines, "start", "ready").at(-1)?.cpus ?? null,
        images: [...images],
      })),
    },
    about: spec.about,
  } satisfies Omit<TrainingResult, "verdict">;
  return { ...facts, verdict: judgeTraining(facts, spec, steps) };
}

function workerOf({ pod, node, restarts, lines }: Process, batch: number): TrainingResult["workers"][number] {
  const steps = linesOf(lines, "step").filter(({ phase }) => phase === "measure");
  const times = steps.map(({ begin, end }) => (end - begin) * 1000);
  const rate = stepsPerSecond(steps);
  const half = Math.floor(steps.length / 2);
  const [first, second] = [stepsPerSecond(steps.slice(0, half)), stepsPerSecond(steps.slice(-half))];
  return {
    pod,
    node,
    imagesPerSecond: rate === null ? null : rate * batch,
    images: steps.length * batch,
    steps: steps.length,
    stepMs: {
      mean: times.length ? times.reduce((sum, ms) => sum + ms, 0) / times.length : null,
      max: times.length ? Math.max(...times) : null,
    },
    drift: steps.length < 4 || first === null || second === null ? null : second / first - 1,
    restarts,
  };
}

/** Steps of one worker over the time from the start of the first to the end of the last. */
function stepsPerSecond(steps: readonly StepLine[]): number | null {
  if (steps.length === 0) return null;
  const seconds = Math.max(...steps.map(({ end }) => end)) - Math.min(...steps.map(({ begin }) => begin));
  return seconds > 0 ? steps.length / seconds : null;
}

function lossOf(steps: readonly StepLine[]): TrainingResult["loss"] {
  const ordered = [...steps].sort((a, b) => a.end - b.end);
  const finite = (text: string | undefined) => {
    const value = Number(text ?? Number.NaN);
    return Number.isFinite(value) ? value : null;
  };
  return { first: finite(ordered[0]?.loss), last: finite(ordered.at(-1)?.loss) };
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** Judges a training from its numbers alone. */
function judgeTraining(
  { workers, counts, loss, requested }: Omit<TrainingResult, "verdict">,
  { thresholds: { maxDrift } }: TrainingSpec,
  loggedSteps: number,
): TrainingResult["verdict"] {
  const asked = requested.steps * requested.workers;
  const reasons = [
    ...(counts.steps < asked ? [`${counts.steps} of the ${asked} steps asked for were done.`] : []),
    ...(workers.length < requested.workers ? [`${workers.length} of ${requested.workers} workers are there.`] : []),
    ...(loss.last === null ? ["The loss is not a number: the training diverged. Ask for a lower learningRate."] : []),
    ...workers.flatMap(({ pod, steps, restarts, drift }) => [
      ...(restarts > 0
        ? [`Worker ${pod} was lost and started again ${restarts === 1 ? "once" : `${restarts} times`}.`]
        : []),
      ...(steps === 0 && restarts === 0 ? [`Worker ${pod} did none of the measured steps.`] : []),
      ...(drift !== null && Math.abs(drift) > maxDrift
        ? [
            `The second half of the steps of worker ${pod} was ${percent(Math.abs(drift))} ${drift < 0 ? "slower" : "faster"} than the first; at most ${percent(maxDrift)} is steady.`,
          ]
        : []),
    ]),
  ];
  const notes = [
    ...(workers.length > 1 && new Set(workers.map(({ node }) => node)).size < workers.length
      ? ["Several workers share a node, and take CPU time from each other."]
      : []),
    ...(workers.some(({ drift }) => drift === null)
      ? ["With fewer than 4 steps a worker's rate cannot be seen to be steady."]
      : []),
    ...(loggedSteps < counts.steps ? ["The log of a lost worker is gone with its steps; the total has them."] : []),
  ];
  return { valid: reasons.length === 0, reasons, notes };
}
