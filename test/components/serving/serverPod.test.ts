import { expect, it } from "vitest";
import type { InstancePlan } from "../../../components/serving/cpuPlan.ts";
import { serverPod } from "../../../components/serving/serverPod.ts";
import { triton } from "../../../components/serving/servers/triton.ts";

const server = triton.build({
  image: "triton:1",
  memory: "1Gi",
  threads: 2,
  api: "v2",
  model: { name: "lite0", inputs: "tensor" },
});
const bucket = { endpoint: "http://store", region: "r", bucket: "models", secretName: "s", namespace: "n" };
const model = { image: "node:1", program: "fetch-1", bucket, prefix: "lite0/1" };
const pod = (instances: InstancePlan[], more: { index?: number; cpuRequest?: string } = {}) =>
  serverPod({ server, model, node: "node1", instances, cpuRequest: "100m", ...more });
const env = (of: ReturnType<typeof pod>) =>
  Object.fromEntries(of.containers[0].env.map(({ name, ...rest }) => [name, rest]));

const pinned = ["0-1", "2-3"].map((cpus) => ({ cpus, memoryNode: 0, threads: 2 }));

it("asks for little CPU and is not limited when it is pinned", () => {
  expect(pod(pinned).containers[0].resources).toEqual({
    requests: { cpu: "100m", memory: "1Gi" },
    limits: { memory: "1Gi" },
  });
});

it("finds its CPUs by its ordinal, or by the number it is given", () => {
  expect(env(pod(pinned)).CPU_LISTS).toEqual({ value: "0-1;2-3" });
  expect(env(pod(pinned)).POD_INDEX).toHaveProperty("valueFrom.fieldRef.fieldPath");
  expect(env(pod(pinned, { index: 1 })).POD_INDEX).toEqual({ value: "1" });
});

it("is of the class Guaranteed, with whole CPUs in every container, when the kubelet chooses its CPUs", () => {
  const own = pod([{ cpus: null, exclusiveCpus: 4, memoryNode: 0, threads: 2 }], { cpuRequest: "500m" });
  for (const { resources } of [...own.initContainers, ...own.containers]) {
    expect(resources).toHaveProperty("requests.cpu", "4");
    expect(resources).toHaveProperty("limits.cpu", "4");
  }
  expect(env(own).EXCLUSIVE_CPUS).toEqual({ value: "4" });
  expect(own.containers[0].command).toContain("tritonserver");
});

it("starts the server as it is, with the CPU it is to be measured by, when nothing pins it", () => {
  const own = pod([{ cpus: null, memoryNode: null, threads: 2 }], { cpuRequest: "500m" });
  expect(own.containers[0].command[0]).toBe("tritonserver");
  expect(own.containers[0].resources.requests.cpu).toBe("500m");
});
