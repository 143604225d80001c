import { kubectl } from "../cluster/cluster.ts";

interface Pod {
  metadata: { name: string; namespace: string };
  status: {
    phase?: string;
    conditions?: { type: string; status: string; message?: string }[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}
interface Terminated {
  reason?: string;
  exitCode: number;
}
interface ContainerStatus {
  name: string;
  ready: boolean;
  state?: { waiting?: { reason?: string; message?: string }; terminated?: Terminated };
  lastState?: { terminated?: Terminated };
}

/** After a failed deployment: for every pod that is not well, why, and the last lines its container wrote. */
export async function unwellPods(lines = 10): Promise<string> {
  const pods = (JSON.parse(await kubectl(["get", "pods", "-A", "-o", "json"])) as { items: Pod[] }).items;
  const reports: string[] = [];
  for (const pod of pods) {
    const unscheduled = pod.status.conditions?.find(
      ({ type, status }) => type === "PodScheduled" && status === "False",
    );
    if (unscheduled) reports.push(`${nameOf(pod)}: no node takes it: ${unscheduled.message ?? "no reason given"}`);
    for (const container of unwell(pod)) reports.push(await report(pod, container, lines));
  }
  return reports.join("\n\n");
}

function unwell({ status }: Pod): ContainerStatus[] {
  if (status.phase === "Succeeded") return [];
  const inits = (status.initContainerStatuses ?? []).filter((c) => !c.ready && c.state?.terminated?.exitCode !== 0);
  if (inits.length > 0) return inits.slice(0, 1); // the others wait for this one
  return (status.containerStatuses ?? []).filter((c) => !c.ready);
}

const nameOf = ({ metadata }: Pod) => `pod ${metadata.namespace}/${metadata.name}`;

async function report(pod: Pod, container: ContainerStatus, lines: number): Promise<string> {
  const { metadata } = pod;
  const of = [metadata.name, "-n", metadata.namespace, "-c", container.name, `--tail=${5 * lines}`];
  const log =
    (await kubectl(["logs", ...of]).catch(() => "")) || (await kubectl(["logs", ...of, "--previous"]).catch(() => ""));
  const tail = log.split("\n").filter(isProse).slice(-lines);
  const heading = `${nameOf(pod)}, container ${container.name}: ${why(container)}`;
  return [heading, ...(tail.length ? tail.map((line) => `  | ${line.slice(0, 200)}`) : ["  (it wrote no log)"])].join(
    "\n",
  );
}

/** Servers draw tables into their logs; the sentence that matters is not in them. */
const isProse = (line: string) => /[A-Za-z]/.test(line) && !/^\s*[|+]/.test(line);

function why({ state = {}, lastState }: ContainerStatus): string {
  const ended = ({ reason, exitCode }: Terminated) => `${reason ?? "ended"} with exit code ${exitCode}`;
  const { waiting, terminated } = state;
  const last = lastState?.terminated ? `; before that ${ended(lastState.terminated)}` : "";
  if (waiting) return [waiting.reason, waiting.message].filter(Boolean).join(": ") + last;
  return (terminated ? ended(terminated) : "not ready") + last;
}
