import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { checkConfig } from "../../stacks/config.ts";
import { CONFIG_MAP, dev, measured, only, type Program, runProgram, SERVICE, STATEFUL_SET } from "./program.ts";

const SELDON = "kubernetes:machinelearning.seldon.io/v1:SeldonDeployment";
const two = { topology: [{ name: "node1", numa: [[0, 1, 2, 3]], smt: 1 }], reserved: {}, cpus: 4, instances: 2 };
const run = (changes: object = {}) =>
  runProgram({ ...dev, ...two, engine: "seldon", ...changes }, { result: measured });
const specOf = (program: Program) =>
  JSON.parse(only(program, CONFIG_MAP, "benchmark-spec").inputs.data["spec.json"]).servers;
const problems = (changes: object) => checkConfig({ ...dev, engine: "seldon", ...changes }).problems;
const connected = { kind: "kubeconfig", context: "c" };

describe("the engine seldon", () => {
  it("registers a SeldonDeployment, and the operator that it needs", async () => {
    const program = await run();
    const own = program.resources.filter(
      ({ type, name }) => type === SELDON || `${name}${type}`.includes("eldon") || name.startsWith("server"),
    );
    const text = dump(own, { noRefs: true, lineWidth: -1 })
      .replace(/fetch-[0-9a-f]{10,12}/g, "fetch-HASH")
      .replace(/(server-node1-i\d)-[0-9a-f]{8}\b/g, "$1-HASH")
      .replace(/(inference-stack\/plan: )[0-9a-f]+/g, "$1HASH");
    await expect(text).toMatchFileSnapshot("__snapshots__/seldon.yaml");
  });

  it("takes the same arguments and gives the same outputs as kubernetes", async () => {
    const [seldon, kubernetes] = [await run(), await run({ engine: "kubernetes" })];
    expect(seldon.exports.endpoint).toEqual(kubernetes.exports.endpoint);
    expect(seldon.exports.plan).toEqual(kubernetes.exports.plan);
    const [a, b] = [specOf(seldon), specOf(kubernetes)];
    expect({ ...a, cpus: Object.values(a.cpus) }).toEqual({ ...b, cpus: Object.values(b.cpus) });
    expect(a.cpus).toEqual({ "server-node1-i0-0-triton": "0-1", "server-node1-i1-0-triton": "2-3" });
    expect(only(seldon, SERVICE, "server").inputs).toEqual(only(kubernetes, SERVICE, "server").inputs);
  });

  it("puts a transformer in front of a server that takes no files, and the executor speaks for both", async () => {
    const program = await run({
      cluster: connected,
      seldon: { operator: "installed", executor: { enabled: true } },
      server: { kind: "dlrs" },
      model: { ...dev.model, inputs: "jpeg" },
      benchmark: { ...dev.benchmark, protocol: "seldon-grpc" },
    });
    const { spec } = only(program, SELDON).inputs;
    expect(spec.protocol).toBe("seldon");
    expect(program.exports.endpoint.ports).toEqual({ "seldon-grpc": 5001 });
    // Only the servers' pods are found behind the service, and waited for by the benchmark.
    const [servers, front] = spec.predictors[0].componentSpecs;
    const { selector } = only(program, SERVICE, "server").inputs.spec;
    expect(servers.metadata.labels).toMatchObject(selector);
    expect(front.metadata.labels).not.toMatchObject(selector);
    expect(specOf(program).cpus).toEqual({
      "server-node1-i0-0-dlrs-proxy": "0-1",
      "server-node1-i1-0-dlrs-proxy": "2-3",
    });
    const text = dump(only(program, SELDON), { noRefs: true, lineWidth: -1 })
      .replace(/fetch-[0-9a-f]{10,12}/g, "fetch-HASH")
      .replace(/(server-node1-i\d)-[0-9a-f]{8}\b/g, "$1-HASH")
      .replace(/(inference-stack\/plan: )[0-9a-f]+/g, "$1HASH");
    await expect(text).toMatchFileSnapshot("__snapshots__/seldon-transformer.yaml");
  });

  it("makes fewer instances an update of the same SeldonDeployment", async () => {
    const [a, b] = [only(await run(), SELDON), only(await run({ instances: 1, cpus: 2 }), SELDON)];
    expect(a.name).toBe(b.name);
    expect(a.inputs.metadata.name).toBe(b.inputs.metadata.name);
    expect([a, b].map(({ inputs }) => inputs.spec.predictors.length)).toEqual([2, 1]);
    // Whatever changes the pods is waited for by another name.
    expect(a.inputs.metadata.annotations).not.toEqual(b.inputs.metadata.annotations);
  });

  it("keeps its SeldonDeployment, without pods, on a node that does not serve any more", async () => {
    const topology = ["node1", "node2"].map((name) => ({ name, numa: [[0, 1, 2, 3]], smt: 1 }));
    const program = await run({ topology, cluster: { ...dev.cluster, nodes: 1 } });
    expect(only(program, SELDON, "server-node2").inputs.spec.predictors).toMatchObject([{ name: "idle" }]);
    expect(Object.keys(specOf(program).cpus)).toHaveLength(2);
  });

  it("makes servers that are all alike one predictor", async () => {
    const { spec } = only(await run({ pinning: "none" }), SELDON).inputs;
    expect(spec.replicas).toBe(2);
    expect(spec.predictors).toHaveLength(1);
  });

  it("has an operator that may act in the stack's namespace alone", async () => {
    const program = await run();
    expect(program.resources.map(({ type }) => type)).not.toContain(
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
    );
    const role = only(program, "kubernetes:rbac.authorization.k8s.io/v1:Role", "seldon-operator").inputs;
    expect(role.metadata.namespace).toBe("inference-dev");
    expect(JSON.stringify(role.rules)).not.toContain('"*"');
    expect(role.rules.flatMap(({ resources }: { resources: string[] }) => resources)).not.toContain("secrets");
    const webhook = only(program, "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration").inputs
      .webhooks[0];
    expect(webhook.namespaceSelector.matchLabels).toEqual({ "kubernetes.io/metadata.name": "inference-dev" });
    const key = only(program, "kubernetes:core/v1:Secret", "seldon-operator").inputs;
    expect(JSON.stringify(key)).not.toContain("PRIVATE KEY");
  });

  it("comes with the official chart and its executor, or with nothing, on a cluster of the user's", async () => {
    const executor = { enabled: true, cpu: "3" };
    const chart = await run({ cluster: connected, seldon: { operator: "chart", executor } });
    const release = only(chart, "kubernetes:helm.sh/v3:Release").inputs;
    expect(release).toMatchObject({ chart: "seldon-core-operator", version: "1.17.1", namespace: "seldon-system" });
    expect(release.values.executor.port).toBe(8090);
    expect(chart.exports.endpoint.ports).toEqual({
      "v2-grpc": 5001,
      "v2-rest": 8090,
      "v2-rest-binary": 8090,
      metrics: 8002,
    });
    const [predictor] = only(chart, SELDON).inputs.spec.predictors;
    expect(predictor.svcOrchSpec.resources.requests.cpu).toBe("3");
    const { labels } = only(chart, "kubernetes:core/v1:Namespace").inputs.metadata;
    expect(labels["pod-security.kubernetes.io/enforce"]).toBe("baseline");

    const installed = await run({ cluster: connected, seldon: { operator: "installed" } });
    expect(installed.resources.filter(({ name }) => name.startsWith("seldon"))).toEqual([]);
    expect(installed.resources.map(({ type }) => type)).not.toContain(
      STATEFUL_SET.replace("StatefulSet", "Deployment"),
    );
  });

  it("refuses what cannot be, with the way out", () => {
    expect(problems({ seldon: { operator: "chart" } })).toEqual([
      expect.stringMatching(/^seldon\.operator: "chart" is not possible on the embedded cluster.*use manifests$/),
    ]);
    expect(problems({ cluster: connected, seldon: { executor: { enabled: true } } })).toEqual([
      expect.stringMatching(/^seldon\.executor: .*use chart or installed/),
    ]);
    const onServersPort = { operator: "installed", executor: { enabled: true, httpPort: 8000 } };
    expect(problems({ cluster: connected, seldon: onServersPort })).toEqual([
      expect.stringMatching(
        /^seldon\.executor\.httpPort: 8000 is a port of triton itself.*taken are 8001, 8000, 8002$/,
      ),
    ]);
    const executor = { operator: "installed", executor: { enabled: true } };
    expect(problems({ cluster: connected, pinning: "cpuset", reserved: { system: 1 }, seldon: executor })).toEqual([
      expect.stringMatching(/^pinning: cpuset is not possible with seldon\.executor.*use numactl/),
    ]);
    expect(problems({ seldon: { operator: "helm" } })).toEqual([expect.stringMatching(/^seldon\.operator: "helm"/)]);
    expect(problems({})).toEqual([]);
  });
});
