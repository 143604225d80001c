import { expect, test } from "vitest";
import type { Resource } from "../../policy/rules/rule.ts";
import { rules } from "../../policy/rules.ts";
import { dev, measured, presetConfig, runProgram } from "../stacks/program.ts";

/** What all rules say of some resources, without which rule said it. */
const said = (...resources: Resource[]): string[] =>
  rules.flatMap((rule) =>
    "check" in rule
      ? resources.flatMap((each) => rule.check(each))
      : rule.checkStack(resources).map(({ message }) => message),
  );

const image = "registry.example/server:1.2.3";
const container = {
  name: "c",
  image,
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
};
const podSecurity = { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } };
const pod = (own: object = {}, spec: object = {}) => ({
  securityContext: podSecurity,
  containers: [{ ...container, ...own }],
  ...spec,
});
const of = (type: string, spec: object, name = "it"): Resource => ({
  type: `kubernetes:${type}`,
  name,
  props: { spec },
});
const job = (own: object = {}, spec: object = {}) => of("batch/v1:Job", { template: { spec: pod(own, spec) } });

test.each([
  ["dev", () => dev],
  ["seldon", () => ({ ...dev, engine: "seldon" })],
  ["low-latency", () => presetConfig("low-latency")],
  ["high-throughput", () => presetConfig("high-throughput")],
  [
    "several pods and metrics",
    () => ({ ...dev, metricsServer: { enabled: true }, benchmark: { pods: 2, control: true } }),
  ],
])("all that stack %s deploys keeps to all rules", async (_, config) => {
  const { resources, exports } = await runProgram(config() as Record<string, unknown>, { result: measured });
  const pods = resources.filter(({ type }) => /StatefulSet|Job|Deployment|SeldonDeployment/.test(type));
  expect(pods.length).toBeGreaterThan(2);
  const stack = { type: "pulumi:pulumi:Stack", name: "stack", props: exports };
  expect(said(stack, ...resources.map(({ inputs, ...each }) => ({ ...each, props: inputs })))).toEqual([]);
});

test("a pod that keeps to everything, and what is no pod, is fine", () => {
  expect(
    said(job(), of("core/v1:Service", {}), {
      type: "random:index/randomPassword:RandomPassword",
      name: "p",
      props: {},
    }),
  ).toEqual([]);
});

const sha = "a".repeat(64);
test.each([
  [image, undefined],
  [`registry.example:5000/server@sha256:${sha}`, undefined],
  [`server:latest@sha256:${sha}`, undefined],
  ["server:latest", "has a tag that moves"],
  ["server:1-latest", "has a tag that moves"],
  ["server:main", "has a tag that moves"],
  ["server", "has neither tag nor digest"],
  ["registry.example:5000/server", "has neither tag nor digest"],
  ["server@sha256:abc", "has a digest that is none"],
])("image %s", (reference, problem) => {
  const expected = problem
    ? [expect.stringContaining(`spec.template.spec.containers[0].image: "${reference}" ${problem}`)]
    : [];
  expect(said(job({ image: reference }))).toEqual(expected);
});

test("pods are found in every kind of controller, init containers too", () => {
  const bad = pod({}, { initContainers: [{ ...container, image: "x" }] });
  const template = { template: { spec: bad } };
  const paths = [
    of("core/v1:Pod", bad),
    of("apps/v1:Deployment", template),
    of("apps/v1:StatefulSet", template),
    of("apps/v1:DaemonSet", template),
    of("batch/v1:CronJob", { jobTemplate: { spec: template } }),
    of("machinelearning.seldon.io/v1:SeldonDeployment", { predictors: [{ componentSpecs: [{ spec: bad }] }] }),
  ].map((resource) => said(resource).map((text) => text.split(".image")[0]));
  expect(paths).toEqual([
    ["spec.initContainers[0]"],
    ["spec.template.spec.initContainers[0]"],
    ["spec.template.spec.initContainers[0]"],
    ["spec.template.spec.initContainers[0]"],
    ["spec.jobTemplate.spec.template.spec.initContainers[0]"],
    ["spec.predictors[0].componentSpecs[0].spec.initContainers[0]"],
  ]);
});

const security = (own: object) => job({ securityContext: { ...container.securityContext, ...own } });
test.each<[string, Resource, string]>([
  ["root", security({ runAsUser: 0 }), "runAsUser: 0"],
  ["perhaps root", security({ runAsNonRoot: false }), "runAsNonRoot: must be true"],
  ["escalation", security({ allowPrivilegeEscalation: undefined }), "allowPrivilegeEscalation: must be false"],
  ["privileged", security({ privileged: true }), "privileged: true"],
  ["capabilities kept", security({ capabilities: {} }), "capabilities.drop: must have ALL"],
  ["capabilities added", security({ capabilities: { drop: ["ALL"], add: ["SYS_NICE"] } }), "add: SYS_NICE"],
  ["no seccomp", security({ seccompProfile: { type: "Unconfined" } }), "seccompProfile: must be RuntimeDefault"],
  [
    "a root file system to write to",
    security({ readOnlyRootFilesystem: false }),
    "readOnlyRootFilesystem: must be true",
  ],
  ["a port of the node", job({ ports: [{ containerPort: 1, hostPort: 1 }] }), "hostPort"],
  ["the node's network", job({}, { hostNetwork: true }), "hostNetwork: true"],
  ["a folder of the node", job({}, { volumes: [{ name: "v", hostPath: { path: "/" } }] }), "v is a hostPath"],
])("a pod with %s is refused, and only for that", (_, resource, problem) => {
  expect(said(resource)).toEqual([expect.stringContaining(problem)]);
});

const server = (name: string, lists: string, replicas: number, more: object[] = [], node = "node1") =>
  of(
    "apps/v1:StatefulSet",
    {
      replicas,
      template: {
        spec: pod(
          { env: [{ name: "CPU_LISTS", value: lists }, ...more] },
          { nodeSelector: { "kubernetes.io/hostname": node } },
        ),
      },
    },
    name,
  );
const stack = (clientCpus: string) => ({
  type: "pulumi:pulumi:Stack",
  name: "s",
  props: { plan: { nodes: [{ name: "node1", clientCpus }] } },
});

test("a CPU is given once: among the servers of a node, and between them and the client", () => {
  expect(said(server("a", "0-1;2-3", 2), server("b", "0-3", 1, [], "node2"), stack("4"))).toEqual([]);
  expect(said(server("a", "0-1;1-2", 2))).toEqual(["CPUs 1 of node node1 are given to a-0 and to a-1"]);
  expect(said(server("a", "0-3", 1), server("b", "2-5", 1))).toEqual([
    "CPUs 2-3 of node node1 are given to a-0 and to b-0",
  ]);
  expect(said(server("a", "0-3", 1), stack("3"))).toEqual([
    "CPUs 3 of node node1 are given to a-0 and to the load client",
  ]);
  const one = (index: string) => server(index, "0-1;2-3", 1, [{ name: "POD_INDEX", value: index }]);
  expect(said(one("0"), one("1"))).toEqual([]);
  expect(said(server("a", "0-1;2-3", 3))).toEqual([expect.stringContaining("3 pods, but CPUs for 2")]);
});

const experiment = (spec: string) => ({
  type: "kubernetes:core/v1:ConfigMap",
  name: "e",
  props: { data: { "spec.json": spec } },
});

test("an experiment without thresholds, or with such as let everything pass, is refused", async () => {
  const { resources } = await runProgram(dev, { result: measured });
  const { inputs } = resources.find(({ name }) => name.startsWith("benchmark-spec"))!;
  const { thresholds, ...spec } = JSON.parse(inputs.data["spec.json"]);
  const with_ = (changes: object) =>
    said(experiment(JSON.stringify({ ...spec, thresholds: { ...thresholds, ...changes } })));
  expect(with_({})).toEqual([]);
  expect(with_({ maxErrorRate: 1 })).toEqual([
    "benchmark.thresholds.maxErrorRate: 1 lets everything pass; it must be from 0 to 0.05",
  ]);
  expect(with_({ minRequests: 1 })).toEqual([expect.stringContaining("it must be at least 20")]);
  expect(said(experiment(JSON.stringify(spec)))).toHaveLength(Object.keys(thresholds).length);
  expect(said(experiment("{"))).toHaveLength(Object.keys(thresholds).length);
});

test("an INVALID result is pointed out and stops nothing", () => {
  const props = { verdict: { valid: false, reasons: ["Two failed.", "It drifted."] } };
  expect(said({ type: "pulumi:pulumi:Stack", name: "s", props })).toEqual([
    "The last benchmark is INVALID: Two failed. It drifted.",
  ]);
  expect(rules.filter(({ level }) => level === "advisory").map(({ name }) => name)).toEqual(["valid-results"]);
});

test.each<[string, Resource, number]>([
  ["ClusterIP", of("core/v1:Service", { type: "ClusterIP" }), 0],
  ["headless", of("core/v1:Service", { clusterIP: "None" }), 0],
  ["LoadBalancer", of("core/v1:Service", { type: "LoadBalancer" }), 1],
  ["NodePort", of("core/v1:Service", { type: "NodePort" }), 1],
  ["external addresses", of("core/v1:Service", { externalIPs: ["192.0.2.1"] }), 1],
  ["Ingress", of("networking.k8s.io/v1:Ingress", {}), 1],
])("a service that is %s", (_, resource, problems) => {
  expect(said(resource)).toHaveLength(problems);
});
