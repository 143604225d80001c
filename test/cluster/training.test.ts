import { afterAll, describe, expect, it } from "vitest";
import type { TrainingResult } from "../../benchmarks/training/result.ts";
import { kubectl } from "../../local/cluster/cluster.ts";
import { cli, configs, output, succeed } from "./cli.ts";

/** A real training, small: one worker, images of 64 x 64. */
const training = (...sets: string[]) =>
  configs([
    "benchmark.enabled=false",
    "training.enabled=true",
    "training.imageSize=64",
    "training.batch=4",
    "training.steps=10",
    "training.warmupSteps=2",
    "training.memory=1Gi",
    "training.maxDrift=1", // a machine for tests is not a quiet one
    ...sets,
  ]);
const namespace = ["-n", "inference-dev"];
const result = async (): Promise<TrainingResult> => JSON.parse(await output("outputs")).training;

interface Job {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; labels?: object };
  spec: object;
}
const jobs = async (): Promise<Job[]> => JSON.parse(await kubectl(["get", "tfjobs", ...namespace, "-o", "json"])).items;
const poll = (get: () => Promise<string>) => expect.poll(get, { timeout: 240_000, interval: 1000 });

describe("npm start with a training", () => {
  afterAll(() => cli("stop", "--purge"));

  it("ends in images per second of a real ResNet-50, of all and of each worker", async () => {
    const printed = await succeed("start", ...training());
    expect(printed).toMatch(/Training\n {2}resnet50, .*\n {2}throughput +[\d.]+ images\/s/);
    const { parameters, throughput, workers, counts, loss, environment, verdict } = await result();
    expect(parameters).toBe(25_557_032);
    expect(counts).toEqual({ steps: 10, images: 40, warmupSteps: 2, repeatedSteps: 0 });
    expect(throughput.imagesPerSecond).toBeGreaterThan(0);
    expect(workers).toHaveLength(1);
    expect(workers[0]!.imagesPerSecond).toBeGreaterThanOrEqual(throughput.imagesPerSecond * 0.9);
    expect(loss.last).toBeLessThan(loss.first!); // it really learns its one batch
    expect(environment.processes.map(({ role }) => role).sort()).toEqual(["chief", "ps", "worker"]);
    expect(environment.processes.every(({ images }) => images.length === 1)).toBe(true);
    expect(verdict.reasons).toEqual([]);
  });

  it("is over when it is over: every process has ended, and nothing is trained again", async () => {
    const phases = await kubectl([
      "get",
      "pods",
      ...namespace,
      "-l",
      "training.kubeflow.org/job-name",
      "-o",
      "jsonpath={.items[*].status.phase}",
    ]);
    expect(phases.split(" ")).toEqual(["Succeeded", "Succeeded", "Succeeded"]);
    const before = await result();
    await succeed("start", ...training());
    expect(await result()).toEqual(before);
  });

  it("goes on when a worker is lost, and says so; another training beside it shares nothing", async () => {
    const start = cli("start", ...training("training.steps=40", "training.batch=2"));
    const names = (await jobs()).map(({ metadata }) => metadata.name);
    await poll(async () => (await jobs()).map(({ metadata }) => metadata.name).join()).not.toBe(names.join());
    const job = (await jobs()).find(({ metadata }) => !names.includes(metadata.name))!;
    const worker = `${job.metadata.name}-worker-0`;
    const log = (pod: string) => kubectl(["logs", ...namespace, pod]).catch(() => "");
    await poll(() => log(worker)).toContain('"phase": "measure"');
    const copy: Job = { ...job, metadata: { name: "beside", namespace: "inference-dev" } };
    await kubectl(["apply", "-f", "-"], JSON.stringify(copy));
    await kubectl(["delete", "pod", ...namespace, worker, "--grace-period=0", "--force"]);
    const { code, output: printed } = await start;
    expect(code, printed).toBe(0);
    const { counts, verdict, workers } = await result();
    expect(counts.steps).toBe(40);
    expect(workers[0]!.restarts).toBe(1);
    expect(verdict.valid).toBe(false);
    expect(verdict.reasons.join()).toMatch(/worker-0 was lost and started again once/);
    await poll(() =>
      kubectl(["get", "tfjob", ...namespace, "beside", "-o", "jsonpath={.status.conditions[-1:].type}"]),
    ).toBe("Succeeded");
    expect(await log("beside-chief-0")).toContain('"phase": "measure"');
    await kubectl(["delete", "tfjob", ...namespace, "beside"]);
  });

  it("says why a training failed", async () => {
    const { code, output: printed } = await cli("start", ...training("training.memory=150Mi"));
    expect(code).not.toBe(0);
    expect(printed).toMatch(/Nothing was measured: the training failed\..*(OOMKilled|lost)/);
    expect(printed).not.toMatch(/\n\s+at .*\.ts:\d+/);
  });

  it("refuses a TFJob that makes no sense: the webhook answers", async () => {
    const bad = {
      apiVersion: "kubeflow.org/v1",
      kind: "TFJob",
      metadata: { name: "1bad", namespace: "inference-dev" },
      spec: { tfReplicaSpecs: {} },
    };
    await expect(kubectl(["apply", "-f", "-"], JSON.stringify(bad))).rejects.toThrow(
      /validator\.tfjob.*denied|denied the request/,
    );
  });

  it("leaves nothing behind when it is destroyed", async () => {
    await succeed("destroy");
    const left = await kubectl([
      "get",
      "namespaces,crds,validatingwebhookconfigurations,clusterroles,clusterrolebindings",
      "-o",
      "name",
    ]);
    expect(left).not.toMatch(/kubeflow|training|inference-dev/);
  });
});
