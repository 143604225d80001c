import { UserError } from "../../error.ts";
import type { Kubernetes, Pod } from "../client/kubernetes.ts";
import { linesOf, trainingLines } from "./log.ts";
import type { Process } from "./measure.ts";
import type { TrainingSpec } from "./spec.ts";

const LABEL = "training.kubeflow.org";
const CONTAINER = "tensorflow";

interface TfJob {
  readonly status?: {
    readonly conditions?: readonly { type: string; status: string; reason?: string; message?: string }[];
  };
}

/**
 * Waits until the training has ended and reads what its processes logged.
 *
 * @throws UserError with what went wrong if it failed, or if it did not end in time
 */
export async function waitForTraining(
  kubernetes: Kubernetes,
  { job, timeoutSeconds }: TrainingSpec,
  { say, intervalMs = 1000 }: { readonly say: (text: string) => void; readonly intervalMs?: number },
): Promise<Process[]> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  const losses = new Map<string, Set<string>>();
  for (let last = ""; ; ) {
    const pods = await kubernetes.listPods(job.namespace, `${LABEL}/job-name=${job.name}`);
    for (const pod of pods) remember(losses, pod);
    const { status } = await kubernetes.get<TfJob>(
      `/apis/kubeflow.org/v1/namespaces/${job.namespace}/tfjobs/${job.name}`,
      `read TFJob ${job.name} in namespace ${job.namespace}`,
    );
    const met = (type: string) => status?.conditions?.find((c) => c.type === type && c.status === "True");
    if (met("Succeeded")) return Promise.all(pods.map((pod) => processOf(kubernetes, job.namespace, pod, losses)));
    const failed = met("Failed");
    if (failed) throw new UserError(await whyFailed(kubernetes, job.namespace, pods, losses, failed.message));
    const now = pods.map(describe).sort().join(", ");
    if (now !== last) say(`training ${job.name}: ${now || "no pods yet"}`);
    last = now;
    if (performance.now() >= deadline)
      throw new UserError(
        `Nothing was measured: after ${timeoutSeconds} s the training ${job.name} has not ended (${now || "it has no pods: does its operator run?"}). Raise training.timeout, or ask for fewer steps.`,
      );
    await new Promise((next) => setTimeout(next, intervalMs));
  }
}

const roleOf = ({ metadata: { labels } }: Pod) => labels?.[`${LABEL}/replica-type`] as Process["role"];
const indexOf = ({ metadata: { labels } }: Pod) => Number(labels?.[`${LABEL}/replica-index`] ?? 0);
const place = (pod: Pod) => `${roleOf(pod)} ${indexOf(pod)}`;

function describe(pod: Pod): string {
  const { status } = pod;
  const waiting = status.containerStatuses?.[0]?.state?.waiting?.reason;
  const unscheduled = status.conditions?.find(({ type, status: is }) => type === "PodScheduled" && is === "False");
  return `${place(pod)} ${waiting ?? (unscheduled ? "Unschedulable" : (status.phase ?? "unknown"))}`;
}

/** A pod in the place of one that is gone counts as a loss of that place, like a container that was started again. */
function remember(losses: Map<string, Set<string>>, pod: Pod): void {
  const lives = losses.get(place(pod)) ?? new Set<string>();
  lives.add(`${pod.metadata.uid}/0`);
  const restarts = pod.status.containerStatuses?.[0]?.restartCount ?? 0;
  for (let life = 1; life <= restarts; life++) lives.add(`${pod.metadata.uid}/${life}`);
  losses.set(place(pod), lives);
}

async function processOf(
  kubernetes: Kubernetes,
  namespace: string,
  pod: Pod,
  losses: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<Process> {
  const { name } = pod.metadata;
  const [container] = pod.status.containerStatuses ?? [];
  const log = await kubernetes.wholeLog(namespace, name, CONTAINER);
  const before = container?.restartCount
    ? await kubernetes.wholeLog(namespace, name, CONTAINER, true).catch(() => "")
    : "";
  return {
    pod: name,
    role: roleOf(pod),
    index: indexOf(pod),
    node: pod.spec.nodeName ?? "",
    images: pod.status.containerStatuses?.map(({ imageID }) => imageID) ?? [],
    restarts: (losses.get(place(pod))?.size ?? 1) - 1,
    lines: [...trainingLines(before), ...trainingLines(log)],
  };
}

/** The operator says which kind of process failed; their logs say why. */
async function whyFailed(
  kubernetes: Kubernetes,
  namespace: string,
  pods: readonly Pod[],
  losses: ReadonlyMap<string, ReadonlySet<string>>,
  message = "",
): Promise<string> {
  const details = await Promise.all(
    pods.map(async (pod) => {
      const log = await kubernetes.wholeLog(namespace, pod.metadata.name, CONTAINER).catch(() => "");
      const error = linesOf(trainingLines(log), "error").at(-1);
      const terminated = pod.status.containerStatuses?.[0]?.state?.terminated;
      const ended =
        terminated && terminated.exitCode !== 0 ? (terminated.reason ?? `exit code ${terminated.exitCode}`) : "";
      const why = error?.message ?? ended;
      return why ? [`${place(pod)}: ${why}`] : [];
    }),
  );
  const lost = [...losses].flatMap(([who, lives]) =>
    lives.size > 1 ? [`${who} was lost ${lives.size - 1} times`] : [],
  );
  return [
    "Nothing was measured: the training failed.",
    message,
    ...[...details.flat(), ...lost].map((text) => `${text}.`),
  ]
    .filter(Boolean)
    .concat("To try the same again, raise training.rerun.")
    .join(" ");
}
