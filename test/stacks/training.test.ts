import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { trainingLines } from "../../benchmarks/training/log.ts";
import { measure } from "../../benchmarks/training/measure.ts";
import { checkConfig } from "../../stacks/config.ts";
import { spec, trainingLogs } from "../benchmarks/training/logs.ts";
import { CONFIG_MAP, dev, JOB, measured, only, type Program, runProgram, withoutPrograms } from "./program.ts";

const TFJOB = "kubernetes:kubeflow.org/v1:TFJob";
const small = { enabled: true, imageSize: 64, batch: 4, steps: 10, workers: 2 };
const trained = (key: string) =>
  measure(
    { ...spec, key },
    Object.entries(trainingLogs()).map(([pod, log]) => ({
      pod,
      role: pod.split("-")[0] as "chief",
      index: Number(pod.split("-")[1]),
      node: "node1",
      images: [],
      restarts: 0,
      lines: trainingLines(log),
    })),
  );
const result = (configMap: string) =>
  configMap.startsWith("training-result-")
    ? JSON.stringify(trained(configMap.replace("training-result-", "")))
    : measured(configMap);
const run = (training: object = {}, changes: object = {}) =>
  runProgram({ ...dev, ...changes, training: { ...small, ...training } }, { result });
const own = (program: Program) =>
  program.resources.filter(({ type, name }) => `${type}${name}`.match(/raining|tfjob|kubeflow/i));
const problems = (training: object, changes: object = {}) =>
  checkConfig({ ...dev, ...changes, training: { enabled: true, ...training } }).problems;
const connected = { cluster: { kind: "kubeconfig", context: "c" } };

describe("the training benchmark", () => {
  it("registers the operator, a TFJob, and what reads its logs", async () => {
    const text = dump(withoutPrograms(own(await run())), { noRefs: true, lineWidth: -1 })
      .replace(/\b(training(?:-\w+)?)-[0-9a-f]{10,12}\b/g, "$1-HASH")
      .replace(/("key": ")[0-9a-f]+/g, "$1HASH");
    await expect(text).toMatchFileSnapshot("__snapshots__/training.yaml");
  });

  it("hands the result back", async () => {
    const { exports } = await run();
    expect(exports.training).toMatchObject({ throughput: { imagesPerSecond: 16 }, verdict: { valid: true } });
  });

  it("is not there unless it is asked for, and not measured again unless something changes", async () => {
    expect(own(await run({ enabled: false }))).toEqual([]);
    const names = async (training: object) => only(await run(training), TFJOB).name;
    const first = await names({});
    expect(await names({})).toBe(first);
    const others = [{ steps: 11 }, { model: "alexnet", imageSize: 67 }, { ps: 2 }, { rerun: 1 }, { memory: "3Gi" }];
    const changed: string[] = [];
    for (const other of others) changed.push(await names(other));
    expect(new Set([first, ...changed]).size).toBe(others.length + 1);
  });

  it("has nothing in common with another run: its key is in the name of all that is its own", async () => {
    const of = async (training: object) =>
      (await run(training)).resources
        .filter(({ type, name }) => name.startsWith("training") && [TFJOB, JOB, CONFIG_MAP].includes(type))
        .map(({ inputs }) => inputs.metadata.name as string)
        .filter((name) => !name.startsWith("training-collector-")); // the program or Job that only reads
    const [a, b] = [await of({}), await of({ steps: 11 })];
    expect(a.filter((name) => b.includes(name))).toEqual([]);
  });

  it("runs processes that are restricted, end by themselves, and of which only a lost worker is started again", async () => {
    const { spec: job } = only(await run(), TFJOB).inputs;
    expect(job.runPolicy).toEqual({ cleanPodPolicy: "None", backoffLimit: 6, activeDeadlineSeconds: 1800 });
    const replicas = Object.entries<{ replicas: number; restartPolicy: string; template: { spec: object } }>(
      job.tfReplicaSpecs,
    );
    expect(replicas.map(([kind, { replicas: count, restartPolicy }]) => [kind, count, restartPolicy])).toEqual([
      ["Chief", 1, "Never"],
      ["PS", 1, "Never"],
      ["Worker", 2, "OnFailure"],
    ]);
    for (const [, { template }] of replicas)
      expect(template.spec).toMatchObject({
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        activeDeadlineSeconds: 1800,
        containers: [
          { name: "tensorflow", securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } } },
        ],
      });
  });

  it("has an operator that acts in the stack's namespace alone, and may change one webhook", async () => {
    const program = await run();
    const cluster = only(program, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "training").inputs.rules;
    expect(cluster.flatMap(({ resources }: { resources: string[] }) => resources)).toEqual(
      Array(2).fill("validatingwebhookconfigurations"),
    );
    expect(cluster.find(({ verbs }: { verbs: string[] }) => verbs.includes("update")).resourceNames).toHaveLength(1);
    const roles = own(program).filter(({ type }) => type.endsWith(":Role"));
    expect(roles.map(({ name, inputs }) => [name, inputs.metadata.namespace])).toEqual([
      ["training-collector", "inference-dev"],
      ["training-operator", "inference-dev"],
      ["training-operator-certificate", "kubeflow"],
    ]);
    expect(JSON.stringify(roles)).not.toContain('"*"');
  });

  it("comes with the official operator, or with none, on a cluster of the user's", async () => {
    const official = await run({ operator: "official" }, connected);
    const { directory } = only(official, "kubernetes:kustomize/v2:Directory").inputs;
    expect(directory).toMatch(/kubeflow\/training-operator\.git.*\?ref=v1\.9\.4$/);
    const installed = await run({ operator: "installed" }, connected);
    expect(installed.resources.filter(({ name }) => name.includes("operator"))).toEqual([]);
    expect(only(installed, TFJOB).inputs.spec.tfReplicaSpecs.Chief.template.spec.containers[0].image).toMatch(
      /^docker\.io\/tensorflow\/tensorflow:/,
    );
  });

  it("refuses what cannot be, with the way out", () => {
    expect(problems({})).toEqual([]);
    expect(problems({ model: "alexnet", imageSize: 64 })).toEqual([
      expect.stringMatching(/^training\.imageSize: 64 is too small for alexnet.*67/),
    ]);
    expect(problems({ operator: "official" })).toEqual([
      expect.stringMatching(/^training\.operator: "official" .*embedded.*use manifests$/),
    ]);
    expect(problems({ operator: "official", namespace: "other" }, connected)).toEqual([
      expect.stringMatching(/^training\.namespace: other/),
    ]);
    expect(problems({ namespace: "seldon-system" }, { engine: "seldon" })).toEqual([
      expect.stringMatching(/^training\.namespace: seldon-system/),
    ]);
    expect(problems({ model: "resnet51" })).toEqual([expect.stringMatching(/^training\.model: "resnet51".*resnet50/)]);
    expect(problems({ workers: 0 })).toEqual([expect.stringMatching(/^training\.workers: 0/)]);
    expect(problems({ ps: 0 })).toEqual([expect.stringMatching(/^training\.ps: 0/)]);
  });
});
