import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InstancePlan } from "../../../components/serving/cpuPlan.ts";
import { deploymentName, seldonSpec, waitFor, weights } from "../../../components/serving/seldon/deployment.ts";
import { serverPod } from "../../../components/serving/serverPod.ts";
import { triton } from "../../../components/serving/servers/triton.ts";
import { transformer, transformerPod } from "../../../components/serving/transformer.ts";

const server = triton.build({
  image: "triton:1",
  memory: "1Gi",
  threads: 2,
  api: "v2",
  model: { name: "lite0", inputs: "tensor" },
});
const bucket = { endpoint: "http://store", region: "r", bucket: "models", secretName: "s", namespace: "n" };
const model = { image: "node:1", program: "fetch-1", bucket, prefix: "lite0/1" };
const pod = (instance: InstancePlan) =>
  serverPod({ server, model, node: "node1", instances: [instance], index: 0, cpuRequest: "100m" });
const pinned = (cpus: string) => pod({ cpus, memoryNode: 0, threads: 2 });

const args = (pods: ReturnType<typeof pod>[], more: object = {}) => ({
  name: "server-node1",
  predictors: pods.map((of) => ({ pod: of, replicas: 1 })),
  labels: { app: "server", plan: "p" },
  selector: { app: "server" },
  frontLabels: { app: "transformer" },
  revision: "0123abcd",
  protocol: "v2" as const,
  readySeconds: 300,
  ...more,
});

describe("a SeldonDeployment", () => {
  it("has a predictor for each list of CPUs, whose one pod knows its own", () => {
    const { predictors, replicas } = seldonSpec(args([pinned("0-1"), pinned("2-3")]));
    expect(replicas).toBe(1);
    const known = predictors.map((predictor) => {
      const [{ metadata, spec }] = "componentSpecs" in predictor ? predictor.componentSpecs : [];
      expect(metadata).toEqual({ labels: { app: "server", plan: "p" } });
      const variables = spec.containers[0].env as { name: string; value?: string }[];
      const env = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
      return [predictor.name, env.CPU_LISTS, env.POD_INDEX];
    });
    expect(known).toEqual([
      ["i0", "0-1", "0"],
      ["i1", "2-3", "0"],
    ]);
  });

  it("says of every container what the operator drops of the pod", () => {
    const [predictor] = seldonSpec(args([pinned("0")])).predictors;
    const [{ spec }] = "componentSpecs" in predictor ? predictor.componentSpecs : [];
    expect(spec).not.toHaveProperty("securityContext");
    for (const container of [...(spec.initContainers as typeof spec.containers), ...spec.containers])
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: "RuntimeDefault" },
      });
  });

  it("gets a service of another name, and so is deleted before it is made anew, whenever its pods change", () => {
    const names = (revision: string) =>
      (
        seldonSpec(args([pinned("0"), pinned("1")], { revision })).predictors as {
          annotations: Record<string, string>;
        }[]
      ).map(({ annotations }) => annotations["seldon.io/svc-name"]);
    expect(names("aaaaaaaa")).toEqual(["server-node1-i0-aaaaaaaa", "server-node1-i1-aaaaaaaa"]);
    expect(names("bbbbbbbb")).toEqual(["server-node1-i0-bbbbbbbb", "server-node1-i1-bbbbbbbb"]);
  });

  it("is waited for by the names of just these services", () => {
    expect(JSON.parse(waitFor(args([pinned("0"), pinned("1")])))).toEqual([
      "jsonpath={.status.state}=Available",
      "jsonpath={.status.serviceStatus['server-node1-i0-0123abcd']}",
      "jsonpath={.status.serviceStatus['server-node1-i1-0123abcd']}",
    ]);
  });

  it("stays without pods on a node that does not serve", () => {
    const { predictors, replicas } = seldonSpec(args([]));
    expect(replicas).toBe(0);
    expect(predictors).toHaveLength(1);
    expect(predictors[0]).not.toHaveProperty("componentSpecs");
    expect(predictors[0].graph).toHaveProperty("implementation"); // or the operator would look for its container
  });

  it("sends requests to the server itself, or through an executor without a CPU limit", () => {
    const direct = seldonSpec(args([pinned("0")])).predictors[0];
    expect(direct.annotations).toHaveProperty(["seldon.io/no-engine"], "true");
    expect(direct).not.toHaveProperty("svcOrchSpec");
    const executor = { cpu: "2", memory: "256Mi" };
    const through = seldonSpec(args([pinned("0")], { executor })).predictors[0];
    expect(through.annotations).not.toHaveProperty(["seldon.io/no-engine"]);
    expect(through).toHaveProperty("svcOrchSpec.resources", {
      requests: executor,
      limits: { memory: "256Mi" },
    });
  });

  it("asks a transformer of a pod of its own, which is no server", () => {
    const made = transformer({ image: "t", proxyImage: "p", model: "lite0", input: "data", output: "prob" });
    const front = { graph: made.graph, pod: transformerPod(made, "node1") };
    const predictors = [{ pod: pinned("0"), replicas: 1, front }];
    const [predictor] = seldonSpec(args([], { predictors, executor: { cpu: "1", memory: "1Gi" } })).predictors;
    const [server, other] = "componentSpecs" in predictor ? predictor.componentSpecs : [];
    expect(predictor.graph).toBe(made.graph);
    expect(server.metadata.labels).toMatchObject({ app: "server" }); // the first gets the executor
    expect(other.metadata.labels).toEqual({ app: "transformer" });
    expect(other.spec.containers.map(({ name }) => name)).toEqual(["namer", "decoder"]);
    expect(other.spec).not.toHaveProperty("securityContext");
    for (const { securityContext } of other.spec.containers)
      expect(securityContext).toHaveProperty("runAsNonRoot", true);
  });

  it("keeps the operator's names below its limit of 63 characters, beyond which it would hash them", () => {
    const longest = "n".repeat(40);
    expect(deploymentName(longest, 999, ["dlrs", "proxy"]).length).toBeLessThanOrEqual(63);
    expect(`${longest}-i999-0123abcd`.length).toBeLessThanOrEqual(63);
  });
});

it("divides traffic into whole percentages that are as even as they can be", () => {
  expect(weights(3)).toEqual([34, 33, 33]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (count) => {
      const shares = weights(count);
      expect(shares).toHaveLength(count);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(100);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }),
  );
});
