import { join } from "node:path";
import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { goodRun } from "../benchmarks/client/facts.ts";
import {
  CONFIG_MAP,
  dev,
  JOB,
  only,
  type Program,
  presetConfig,
  runProgram,
  SERVICE,
  STATEFUL_SET,
} from "./program.ts";

const resultOf = (key: string) => ({ ...goodRun(), key, verdict: { valid: true, reasons: [], notes: [] } });
const measured = { result: (name: string) => JSON.stringify(resultOf(name.replace("benchmark-result-", ""))) };
const run = (changes: object = {}) => runProgram({ ...dev, ...changes }, measured);
/** The coordinator's name is the experiment's. */
const keyOf = (program: Program) => coordinatorOf(program).inputs.metadata.name as string;

/** As YAML, without the text of the bundles, and without hashes, which change with every edit of anything. */
function readable(program: Program): string {
  const text = dump(program.resources, { noRefs: true, lineWidth: -1 });
  return text
    .replaceAll(join(import.meta.dirname, "../.."), "CHECKOUT")
    .replace(/(client\.cjs|fetch\.mjs): .*(\n {8,}.*)*/g, "$1: BUNDLE")
    .replace(/\b(benchmark(?:-spec|-result)?|benchmark-client|fetch)-[0-9a-f]{10,12}\b/g, "$1-HASH")
    .replace(/("key": "|planHash": "|inference-stack\/plan: )[0-9a-f]+/g, "$1HASH");
}

const templatesOf = (program: Program) =>
  program.resources.flatMap(({ inputs }) => (inputs.spec?.template?.spec ? [inputs.spec.template] : []));

const several = { benchmark: { ...dev.benchmark, pods: 2 } };
const WORKERS = "benchmark-workers-";
const coordinatorOf = (program: Program) =>
  program.resources.find((r) => r.type === JOB && !r.name.startsWith(WORKERS))!;
const specOf = (program: Program) => JSON.parse(only(program, CONFIG_MAP, "benchmark-spec").inputs.data["spec.json"]);

describe("the program", () => {
  it("registers what the dev stack is", async () => {
    const program = await run();
    await expect(readable(program)).toMatchFileSnapshot("__snapshots__/dev.yaml");
  });

  it("hands the result, the plan and the endpoint back", async () => {
    const { exports } = await run();
    expect(exports.endpoint).toEqual({
      host: "server.inference-dev.svc.cluster.local",
      ports: { "v2-grpc": 8001, "v2-rest": 8000, "v2-rest-binary": 8000, metrics: 8002 },
    });
    expect(exports.plan.nodes).toEqual([
      {
        name: "node1",
        instances: [{ cpus: "1", memoryNode: 0, threads: 1 }],
        systemCpus: null,
        clientCpus: "0",
        leftOver: null,
      },
    ]);
    expect(exports.throughput.inferencesPerSecond).toBe(200);
    expect(exports.verdict).toEqual(exports.benchmark.verdict);
    expect(exports.latencyMs.p50).toBe(exports.benchmark.latencyMs.p50);
  });

  it.each(["low-latency", "high-throughput"])("previews %s with nothing known of a cluster", async (stack) => {
    const program = await runProgram(presetConfig(stack), { ...measured, preview: true });
    const sets = program.resources.filter(({ type, name }) => type === STATEFUL_SET && name.startsWith("server-"));
    expect(
      sets.map(({ inputs }) => [
        inputs.spec.template.spec.nodeSelector["kubernetes.io/hostname"],
        inputs.spec.replicas,
      ]),
    ).toEqual(["node1", "node2"].map((node) => [node, stack === "low-latency" ? 2 : 24]));
    const lists = sets[0].inputs.spec.template.spec.containers[0].env.find(
      (e: { name: string }) => e.name === "CPU_LISTS",
    ).value;
    expect(lists).toBe(
      stack === "low-latency" ? "0-23;24-47" : Array.from({ length: 24 }, (_, i) => `${2 * i}-${2 * i + 1}`).join(";"),
    );
    expect(only(program, JOB).inputs.spec.template.spec.nodeSelector).toBeUndefined();
  });

  it("meets Pod Security level restricted in every pod, with a read-only root", async () => {
    const programs = await Promise.all([run()]);
    programs.push(
      await run({ pinning: "none", reserved: {} }),
      await run({ benchmark: { ...dev.benchmark, pods: 2, control: true } }),
      await runProgram(presetConfig("low-latency"), measured),
    );
    const templates = programs.flatMap(templatesOf);
    expect(templates.length).toBeGreaterThanOrEqual(10);
    for (const { spec } of templates) {
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      expect(spec.securityContext.runAsUser).toBeGreaterThan(0);
      expect([spec.hostNetwork, spec.hostPID, spec.hostIPC]).toEqual([undefined, undefined, undefined]);
      for (const volume of spec.volumes ?? []) expect(Object.keys(volume)).not.toContain("hostPath");
      for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.resources.limits.memory).toBeDefined();
        expect(container.resources.limits.cpu).toBeUndefined();
        for (const port of container.ports ?? []) expect(port.hostPort).toBeUndefined();
      }
    }
    for (const program of programs)
      expect(
        only(program, "kubernetes:core/v1:Namespace").inputs.metadata.labels["pod-security.kubernetes.io/enforce"],
      ).toBe("restricted");
  });

  it("gives no pod but the benchmark's a token, and lets that one write one ConfigMap", async () => {
    const program = await run();
    const withToken = program.resources.filter(
      ({ inputs }) => inputs.spec?.template?.spec?.automountServiceAccountToken !== false && inputs.spec?.template,
    );
    expect(withToken.map(({ type }) => type)).toEqual([JOB]);
    const workers = only(await run(several), JOB, WORKERS).inputs.spec.template.spec;
    expect([workers.automountServiceAccountToken, workers.serviceAccountName]).toEqual([false, undefined]);
    const { rules } = only(program, "kubernetes:rbac.authorization.k8s.io/v1:Role").inputs;
    const writing = rules.filter(({ verbs }: { verbs: string[] }) =>
      verbs.some((verb) => !["get", "list"].includes(verb)),
    );
    expect(writing).toEqual([
      {
        apiGroups: [""],
        resources: ["configmaps"],
        resourceNames: [only(program, CONFIG_MAP, "benchmark-result").inputs.metadata.name],
        verbs: ["get", "update", "patch"],
      },
    ]);
  });

  it("keeps the credentials secret", async () => {
    const program = await run({ model: { name: "lite0", version: "1" } });
    const credentials = program.resources.filter(
      ({ type, name }) => type === "kubernetes:core/v1:Secret" && name.startsWith("object-store-"),
    );
    expect(credentials).toHaveLength(4); // of three users, and the certificate
    for (const { inputs } of credentials) expect(inputs.stringData).toBe("[secret]");
    const text = JSON.stringify(program.resources.filter(({ type }) => !type.startsWith("random:")));
    expect(text).not.toContain("generated");
  });

  it("makes fewer instances an update of the same StatefulSet", async () => {
    const four = { topology: [{ name: "node1", numa: [[0, 1, 2, 3]], smt: 1 }], reserved: {} };
    const [before, after] = [
      await run({ ...four, instances: 4, cpus: 4 }),
      await run({ ...four, instances: 2, cpus: 2 }),
    ];
    const [a, b] = [before, after].map((program) => only(program, STATEFUL_SET, "server-node1").inputs);
    expect([a.spec.replicas, b.spec.replicas]).toEqual([4, 2]);
    expect(b.metadata).toEqual(a.metadata);
    expect(b.spec.selector).toEqual(a.spec.selector);
    expect(b.spec.serviceName).toEqual(a.spec.serviceName);
    expect(b.spec.template.metadata.labels["inference-stack/plan"]).not.toBe(
      a.spec.template.metadata.labels["inference-stack/plan"],
    );
    expect(only(after, SERVICE, "server").inputs).toEqual(only(before, SERVICE, "server").inputs);
    const spec = JSON.parse(only(after, CONFIG_MAP, "benchmark-spec").inputs.data["spec.json"]);
    expect(spec.servers).toMatchObject({ count: 2, cpus: { "server-node1-0": "0", "server-node1-1": "1" } });
  });

  it("scales a node that does not serve any more to nothing instead of deleting its StatefulSet", async () => {
    const topology = ["node1", "node2"].map((name) => ({ name, numa: [[0, 1]], smt: 1 }));
    const program = await run({ topology, cluster: { ...dev.cluster, nodes: 1 } });
    expect(only(program, STATEFUL_SET, "server-node1").inputs.spec.replicas).toBe(1);
    expect(only(program, STATEFUL_SET, "server-node2").inputs.spec.replicas).toBe(0);
  });

  it("selects server pods of every plan, in the Service and in the benchmark", async () => {
    const program = await run();
    const { selector } = only(program, SERVICE, "server").inputs.spec;
    expect(Object.keys(selector)).not.toContain("inference-stack/plan");
    const { labels } = only(program, STATEFUL_SET, "server-node1").inputs.spec.template.metadata;
    expect(labels).toMatchObject(selector);
    const spec = JSON.parse(only(program, CONFIG_MAP, "benchmark-spec").inputs.data["spec.json"]);
    expect(spec.servers.selector.split(",").sort()).toEqual(
      Object.entries(selector)
        .map(([k, v]) => `${k}=${v}`)
        .sort(),
    );
    expect(spec.servers.planHash).toBe(labels["inference-stack/plan"]);
  });

  it("lets one pod make the load alone, without workers or a token", async () => {
    const program = await run();
    expect(program.resources.filter(({ type }) => type === JOB)).toHaveLength(1);
    expect(program.resources.filter(({ name }) => name === "benchmark-token")).toEqual([]);
    expect(specOf(program)).not.toHaveProperty("workers");
    expect(specOf(program)).not.toHaveProperty("control");
    const [container] = only(program, JOB).inputs.spec.template.spec.containers;
    expect(container.ports).toBeUndefined();
  });

  it("makes several load pods an Indexed Job that is not waited for", async () => {
    const program = await run(several);
    const { metadata, spec } = only(program, JOB, WORKERS).inputs;
    expect(metadata.annotations).toEqual({ "pulumi.com/skipAwait": "true" });
    const coordinator = coordinatorOf(program);
    const { template, ...job } = spec;
    expect(job).toEqual({
      completionMode: "Indexed",
      completions: 2,
      parallelism: 2,
      backoffLimitPerIndex: 0,
      activeDeadlineSeconds: coordinator.inputs.spec.activeDeadlineSeconds,
    });
    const [worker] = template.spec.containers;
    expect(worker.command.slice(-4)).toEqual(["/client/client.cjs", "worker", "/spec/spec.json", "/inputs"]);
    expect(worker.ports).toEqual([{ name: "client", containerPort: 7070 }]);
    expect(template.spec.nodeSelector).toEqual(coordinator.inputs.spec.template.spec.nodeSelector);
    expect(template.spec.automountServiceAccountToken).toBe(false);
    expect(template.spec.initContainers).toHaveLength(1);
    expect(coordinator.inputs.spec.template.spec.initContainers).toBeUndefined(); // it needs no inputs
  });

  it("names the workers of this experiment, and of no other, to the coordinator", async () => {
    const [two, three] = [await run(several), await run({ benchmark: { ...dev.benchmark, pods: 3 } })];
    const { key, workers } = specOf(two);
    expect(workers).toEqual({
      namespace: "inference-dev",
      selector: `inference-stack/experiment=benchmark-${key}`,
      count: 2,
      port: 7070,
    });
    const { template } = only(two, JOB, WORKERS).inputs.spec;
    expect(template.metadata.labels).toMatchObject({ "inference-stack/experiment": `benchmark-${key}` });
    expect(template.spec.topologySpreadConstraints[0].labelSelector.matchLabels).toEqual({
      "inference-stack/experiment": `benchmark-${key}`,
    });
    expect(coordinatorOf(two).inputs.spec.template.metadata.labels).not.toHaveProperty("inference-stack/experiment");
    expect(specOf(three).key).not.toBe(key);
  });

  it.each([
    ["workers", several],
    ["control", { benchmark: { ...dev.benchmark, control: true } }],
  ])("gives pods that listen a generated token, as a file (%s)", async (_, change) => {
    const program = await run(change);
    const secret = only(program, "kubernetes:core/v1:Secret", "benchmark-token").inputs;
    expect(JSON.stringify(secret.stringData)).toContain("[secret]");
    for (const { inputs } of program.resources.filter(({ type }) => type === JOB)) {
      const { containers, volumes } = inputs.spec.template.spec;
      expect(volumes).toContainEqual({ name: "token", secret: { secretName: "benchmark-token" } });
      expect(containers[0].volumeMounts).toContainEqual({ name: "token", mountPath: "/token", readOnly: true });
      expect(containers[0].env).toContainEqual({ name: "TOKEN_FILE", value: "/token/token" });
    }
    expect(JSON.stringify(program.resources.filter(({ type }) => !type.startsWith("random:")))).not.toContain(
      "generated",
    );
  });

  it("serves the live page where it can be controlled, and another page measures nothing anew", async () => {
    const program = await run({ benchmark: { ...dev.benchmark, control: true } });
    const page = only(program, CONFIG_MAP, "benchmark-live");
    expect(page.inputs.data["index.html"]).toMatch(/^<!doctype html>/);
    const { spec } = only(program, JOB).inputs.spec.template;
    expect(spec.volumes).toContainEqual({ name: "page", configMap: { name: page.inputs.metadata.name } });
    expect(spec.containers[0].env).toContainEqual({ name: "PAGE_FILE", value: "/page/index.html" });
    expect(JSON.stringify(only(program, JOB).inputs)).not.toContain("doctype"); // nothing of it is in what makes a Job another
    const plain = await run({});
    expect(plain.resources.filter(({ name }) => name.includes("live"))).toEqual([]);
    expect(only(plain, JOB).inputs.spec.template.spec.volumes.map(({ name }: { name: string }) => name)).not.toContain(
      "page",
    );
  });

  it("lets the coordinator listen on its pod's address when it can be controlled", async () => {
    const program = await run({ benchmark: { ...dev.benchmark, control: true } });
    const [container] = only(program, JOB).inputs.spec.template.spec.containers;
    expect(container.ports).toEqual([{ name: "client", containerPort: 7070 }]);
    expect(container.env).toContainEqual({ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } });
    expect(specOf(program).control).toEqual({ port: 7070 });
  });

  it("gives the Job time for what it is to do, and Pulumi a little more", async () => {
    const deadline = async (load: object, more: object = {}) =>
      coordinatorOf(await run({ benchmark: { warmup: 5, duration: 30, timeout: 10, load, ...more } })).inputs.spec
        .activeDeadlineSeconds;
    const closed = await deadline({});
    expect(closed).toBe(300 + 5 + 30 + 10 + 240);
    expect(
      await deadline({
        stages: [
          { rate: 1, duration: 100 },
          { rate: 2, duration: 50 },
        ],
      }),
    ).toBe(closed + 120);
    expect(await deadline({ repeats: 7 })).toBe(closed + 40);
    expect(await deadline({}, { pods: 2 })).toBe(closed + 150);
    expect(await deadline({ scenario: "Offline" })).toBe(closed - 30 + 86_400);
  });

  it("deploys no benchmark when it is switched off", async () => {
    const program = await run({ benchmark: { enabled: false } });
    expect(program.resources.map(({ type }) => type)).not.toContain(JOB);
    expect(program.exports.benchmark).toBeUndefined();
  });

  it("runs servers as they are without pinning", async () => {
    const program = await run({ pinning: "none" });
    const [container] = only(program, STATEFUL_SET, "server-node1").inputs.spec.template.spec.containers;
    expect(container.command[0]).toBe("tritonserver");
    expect(
      JSON.parse(only(program, CONFIG_MAP, "benchmark-spec").inputs.data["spec.json"]).servers.cpus,
    ).toBeUndefined();
  });
});

describe("the experiment's key", () => {
  it("stays when nothing changes, and when something else changes", async () => {
    const key = keyOf(await run());
    expect(keyOf(await run())).toBe(key);
    expect(keyOf(await run({ objectStore: { size: "20Gi" } }))).toBe(key);
    expect(keyOf(await run({ cluster: { ...dev.cluster, kubeconfig: "/elsewhere" } }))).toBe(key);
  });

  it.each([
    ["clients", { benchmark: { ...dev.benchmark, clients: 4 } }],
    ["duration", { benchmark: { ...dev.benchmark, duration: 16 } }],
    ["protocol", { benchmark: { ...dev.benchmark, protocol: "v2-rest" } }],
    ["thresholds", { benchmark: { ...dev.benchmark, thresholds: { maxDrift: 0.2 } } }],
    ["load", { benchmark: { ...dev.benchmark, load: { rate: 10 } } }],
    ["pods", { benchmark: { ...dev.benchmark, pods: 2 } }],
    ["threads", { benchmark: { ...dev.benchmark, threads: 2 } }],
    ["rerun", { benchmark: { ...dev.benchmark, rerun: 1 } }],
    ["server image", { images: { triton: "other:1" } }],
    ["client image", { images: { node: "other:1" } }],
    ["server memory", { server: { memory: "2Gi" } }],
    ["model version", { model: { name: "lite0", version: "fedcba987654" } }],
    ["CPU plan", { reserved: {} }],
    ["pinning", { pinning: "none" }],
  ])("changes with the %s", async (_, change) => {
    expect(keyOf(await run(change))).not.toBe(keyOf(await run()));
  });
});
