import { kubectl } from "../cluster/cluster.ts";

interface Pod {
  metadata: { name: string; namespace: string };
  status: { phase?: string; initContainerStatuses?: ContainerStatus[]; containerStatuses?: ContainerStatus[] };
}
interface ContainerStatus {
  name: string;
  ready: boolean;
  restartCount: number;
  state?: { waiting?: { reason?: string; message?: string }; terminated?: { reason?: string; exitCode: number } };
}

/** After a failed deployment: for every pod that is not well, why, and the last lines its container wrote. */
export async function unwellPods(lines = 10): Promise<string> {
  const pods = (JSON.parse(await kubectl(["get", "pods", "-A", "-o", "json"])) as { items: Pod[] }).items;
  const reports: string[] = [];
  for (const pod of pods) for (const container of unwell(pod)) reports.push(await report(pod, container, lines));
  return reports.join("\n\n");
}

function unwell({ status }: Pod): ContainerStatus[] {
  if (status.phase === "Succeeded") return [];
  const inits = (status.initContainerStatuses ?? []).filter((c) => !c.ready && c.state?.terminated?.exitCode !== 0);
  if (inits.length > 0) return inits.slice(0, 1); // the others wait for this one
  return (status.containerStatuses ?? []).filter((c) => !c.ready);
}

async function report({ metadata }: Pod, container: ContainerStatus, lines: number): Promise<string> {
  const { waiting, terminated } = container.state ?? {};
  const why = waiting
    ? [waiting.reason, waiting.message].filter(Boolean).join(": ")
    : terminated
      ? `${terminated.reason ?? "ended"} with exit code ${terminated.exitCode}`
      : "not ready";
  const of = [metadata.name, "-n", metadata.namespace, "-c", container.name, `--tail=${lines}`];
  const log =
    (await kubectl(["logs", ...of]).catch(() => "")) || (await kubectl(["logs", ...of, "--previous"]).catch(() => ""));
  const tail = log.trimEnd().split("\n").filter(Boolean);
  const heading = `pod ${metadata.namespace}/${metadata.name}, container ${container.name}: ${why}`;
  return [heading, ...(tail.length ? tail.map((line) => `  | ${line}`) : ["  (it wrote no log)"])].join("\n");
}
