import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Kubernetes } from "../../../benchmarks/client/kubernetes.ts";
import { waitForTraining } from "../../../benchmarks/training/wait.ts";
import { spec, trainingLogs } from "./logs.ts";

interface Training {
  /** Conditions of the TFJob at each look; the last stays. */
  conditions: readonly { type: string; status: string; message?: string }[][];
  /** Overrides by `role-index` at each look. */
  pods?: readonly Record<string, { uid?: string; restarts?: number; phase?: string; waiting?: string }>[];
  logs?: Record<string, string>;
}

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** The paths of the API that are used, of a training that changes from look to look. */
async function cluster({ conditions, pods = [{}], logs = trainingLogs() }: Training): Promise<Kubernetes> {
  let look = 0;
  const at = <T>(list: readonly T[]): T => list[Math.min(look, list.length - 1)]!;
  const server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, "http://api");
    const [, , , , , , pod] = pathname.split("/");
    if (pathname.endsWith("/log")) {
      const log = logs[pod!.replace(/^training-\w+-/, "")];
      if (searchParams.get("previous") === "true" || log === undefined) response.statusCode = 404;
      response.end(log);
    } else if (pathname.endsWith("/pods")) {
      const items = Object.keys(trainingLogs()).map((who) => {
        const [role, index] = who.split("-");
        const { uid = who, restarts = 0, phase = "Running", waiting } = at(pods)[who] ?? {};
        const labels = { "training.kubeflow.org/replica-type": role, "training.kubeflow.org/replica-index": index };
        const state = waiting ? { waiting: { reason: waiting } } : {};
        return {
          metadata: { name: `${spec.job.name}-${who}`, uid, labels },
          spec: { nodeName: "node1", containers: [{ name: "tensorflow" }] },
          status: { phase, containerStatuses: [{ imageID: "sha256:1", restartCount: restarts, state }] },
        };
      });
      response.end(JSON.stringify({ items }));
    } else {
      expect(pathname).toBe(`/apis/kubeflow.org/v1/namespaces/serving/tfjobs/${spec.job.name}`);
      response.end(JSON.stringify({ status: { conditions: at(conditions) } }));
      look++;
    }
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  stops.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return new Kubernetes({ url: `http://127.0.0.1:${port}`, token: () => "secret" }, 1);
}

const running = [{ type: "Running", status: "True" }];
const succeeded = [
  { type: "Running", status: "False" },
  { type: "Succeeded", status: "True" },
];
const wait = async (training: Training, seconds = 5) => {
  const said: string[] = [];
  const processes = await waitForTraining(
    await cluster(training),
    { ...spec, timeoutSeconds: seconds },
    { say: (text) => said.push(text), intervalMs: 1 },
  );
  return { processes, said };
};

describe("waiting for a training", () => {
  it("ends when the TFJob has succeeded, with what each process logged", async () => {
    const { processes } = await wait({ conditions: [[], running, succeeded] });
    expect(processes.map(({ role, index, lines, restarts }) => [role, index, lines.length, restarts])).toEqual([
      ["chief", 0, 5, 0],
      ["worker", 0, 12, 0],
      ["worker", 1, 12, 0],
      ["ps", 0, 2, 0],
    ]);
  });

  it("knows a loss by a restart of the container, and by another pod in the same place", async () => {
    const { processes } = await wait({
      conditions: [running, running, succeeded],
      pods: [{}, { "worker-0": { restarts: 1 } }, { "worker-0": { restarts: 1 }, "worker-1": { uid: "another" } }],
    });
    expect(processes.map(({ restarts }) => restarts)).toEqual([0, 1, 1, 0]);
  });

  it("says why the training failed, in the words of the operator and of the process", async () => {
    const logs = {
      ...trainingLogs(),
      "chief-0": 'training {"event": "error", "message": "UnavailableError: ps 0 is gone"}',
    };
    const message = "TFJob serving/training has failed because 1 Chief replica(s) failed.";
    const failed = wait({ conditions: [running, [{ type: "Failed", status: "True", message }]], logs });
    await expect(failed).rejects.toThrow(
      `Nothing was measured: the training failed. ${message} chief 0: UnavailableError: ps 0 is gone. To try the same again, raise training.rerun.`,
    );
  });

  it("says how far it was when it does not end in time", async () => {
    const pods = [{ "worker-1": { phase: "Pending", waiting: "ImagePullBackOff" } }];
    await expect(wait({ conditions: [running], pods }, 0.05)).rejects.toThrow(
      /after 0.05 s .* has not ended \(.*worker 1 ImagePullBackOff.*Raise training.timeout/,
    );
  });
});
