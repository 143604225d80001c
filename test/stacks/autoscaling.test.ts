import { describe, expect, it } from "vitest";
import { checkConfig } from "../../stacks/config.ts";
import { dev, measured, only, runProgram, STATEFUL_SET } from "./program.ts";

const HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler";
const SELDON = "kubernetes:machinelearning.seldon.io/v1:SeldonDeployment";
const scaled = {
  ...dev,
  pinning: "none",
  metricsServer: { enabled: true },
  autoscaling: { enabled: true, max: 3, resourceLimiting: "500m" },
};
const run = (changes: object = {}) => runProgram({ ...scaled, ...changes }, { result: measured });
const problems = (changes: object) => checkConfig({ ...scaled, ...changes }).problems;

describe("autoscaling", () => {
  it("scales each node's workload with the CPU its pods use", async () => {
    const program = await run();
    const { spec, metadata } = only(program, HPA).inputs;
    expect(spec).toEqual({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "StatefulSet", name: "server-node1" },
      minReplicas: 1,
      maxReplicas: 3,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
      ],
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: "Pods", value: 1, periodSeconds: 15 }] },
        scaleDown: { stabilizationWindowSeconds: 300, policies: [{ type: "Pods", value: 1, periodSeconds: 15 }] },
      },
    });
    expect(metadata.annotations).toEqual({ "pulumi.com/waitFor": "condition=ScalingActive" });
    const set = only(program, STATEFUL_SET, "server-node1").inputs.spec;
    expect(set).not.toHaveProperty("replicas"); // the autoscaler's
    expect(set.template.spec.containers[0].resources.requests.cpu).toBe("500m");
  });

  it("scales a SeldonDeployment by exactly its own pods", async () => {
    const program = await run({ engine: "seldon" });
    expect(only(program, HPA).inputs.spec.scaleTargetRef).toEqual({
      apiVersion: "machinelearning.seldon.io/v1",
      kind: "SeldonDeployment",
      name: "server-node1",
    });
    const { spec } = only(program, SELDON).inputs;
    expect(spec.replicas).toBe(1); // without it the operator never comes to rest
    const labels = spec.predictors[0].componentSpecs[0].metadata.labels;
    const selected = Object.fromEntries(spec.podSelector.split(",").map((pair: string) => pair.split("=")));
    expect(labels).toMatchObject(selected);
    expect(selected["inference-stack/set"]).toBe("server-node1");
    // The operator puts its own value over this label.
    expect(Object.keys(selected)).not.toContain("app.kubernetes.io/managed-by");
  });

  it("has its metrics from kubelets and over an API whose certificates are verified", async () => {
    const program = await run();
    const [container] = only(program, "kubernetes:apps/v1:Deployment", "metrics-server").inputs.spec.template.spec
      .containers;
    expect(container.args).toContain(
      "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
    );
    expect(container.args.join()).not.toContain("insecure");
    const api = only(program, "kubernetes:apiregistration.k8s.io/v1:APIService").inputs.spec;
    expect(api.caBundle).toMatch(/^LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t/);
    expect(api).not.toHaveProperty("insecureSkipTLSVerify");
  });

  it("installs neither when it is not asked for", async () => {
    const { resources } = await runProgram(dev, { result: measured });
    expect(resources.filter(({ type, name }) => type === HPA || name.includes("metrics"))).toEqual([]);
  });

  it("is measured with what it may do, after it knows how much CPU the servers use", async () => {
    const { resources } = await run({ benchmark: { load: { rate: 5 }, slo: { p99Ms: 40 } } });
    const spec = JSON.parse(resources.find(({ inputs }) => inputs.data?.["spec.json"])!.inputs.data["spec.json"]);
    expect(spec.servers).toMatchObject({ count: 1, max: 3 });
    expect(spec.scaling).toEqual({ slo: { p99Ms: 40, windowSeconds: 2 }, coresPerServer: 0.5 });
    expect(spec.about.autoscaler).toMatchObject({ averageUtilization: 50, stabilization: { up: 0, down: 300 } });
  });

  it("removes no server before clients have gone over to others", async () => {
    const pod = only(await run(), STATEFUL_SET, "server-node1").inputs.spec.template.spec;
    const { seconds } = pod.containers[0].lifecycle.preStop.sleep;
    expect(seconds).toBeGreaterThan(10); // DNS answers are kept for 5 s twice, and clients ask each second
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(seconds + 5);
    const fixed = only(await runProgram(dev, { result: measured }), STATEFUL_SET, "server-node1").inputs.spec;
    expect(fixed.template.spec.containers[0]).not.toHaveProperty("lifecycle");
  });

  it("asks a cluster of the user's for its metrics API, once there is something to ask", async () => {
    const cluster = { cluster: { kind: "kubeconfig", context: "c" }, metricsServer: {} };
    const api = { type: "kubernetes:apiregistration.k8s.io/v1:APIService", id: "v1beta1.metrics.k8s.io" };
    expect((await run(cluster)).reads).toContainEqual(api);
    expect((await run()).reads).not.toContainEqual(api); // it installs it
  });

  it.each([
    ["pinned servers", { pinning: "numactl" }, /^autoscaling: is not possible with pinning numactl.*use pinning none$/],
    ["no CPU request", { autoscaling: { enabled: true } }, /^autoscaling\.resourceLimiting: is missing; .*500m/],
    [
      "whole CPUs",
      { autoscaling: { enabled: true, resourceLimiting: "2" } },
      /^autoscaling\.resourceLimiting: "2" is a number of whole CPUs.*1500m$/,
    ],
    [
      "fewer at most than at least",
      { instances: 1, autoscaling: { enabled: true, max: 0, resourceLimiting: "500m" } },
      /^autoscaling\.max: 0 is not allowed/,
    ],
    [
      "fewer at most than instances",
      { instances: 2, cpus: 2, reserved: {}, autoscaling: { enabled: true, max: 1, resourceLimiting: "500m" } },
      /^autoscaling\.max: 1 is less than instances, which is 2/,
    ],
    ["no metrics API", { metricsServer: {} }, /^autoscaling: .*set metricsServer\.enabled to true$/],
    [
      "a CPU request that is none",
      { autoscaling: { enabled: true, resourceLimiting: "half" } },
      /^autoscaling\.resourceLimiting: "half" is not allowed; it must be a number of CPUs such as 500m or 1\.5/,
    ],
  ])("refuses %s, with the way out", (_, changes, problem) => {
    expect(problems(changes)).toEqual([expect.stringMatching(problem)]);
  });

  it("expects a cluster of the user's to have the metrics API", () => {
    expect(problems({ cluster: { kind: "kubeconfig", context: "c" }, metricsServer: {} })).toEqual([]);
  });
});
