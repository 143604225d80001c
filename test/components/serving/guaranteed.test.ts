import { expect, it } from "vitest";
import { guaranteed } from "../../../components/serving/guaranteed.ts";

const container = (name: string, cpu: string, memory: string) => ({
  name,
  command: [name],
  env: [{ name: "A", value: "b" }],
  resources: { requests: { cpu, memory: "32Mi" }, limits: { memory } },
});
const pod = {
  initContainers: [container("fetch", "50m", "256Mi")],
  containers: [container("server", "100m", "1Gi"), container("beside", "20m", "64Mi")],
};

it("a guaranteed pod asks in every container for exactly what it may use, and for whole CPUs in the server's", () => {
  const { initContainers, containers } = guaranteed(pod, 4) as typeof pod;
  const found = [...initContainers, ...containers].map(({ name, resources }) => [name, resources.requests]);
  expect(found).toEqual([
    ["fetch", { cpu: "4", memory: "256Mi" }],
    ["server", { cpu: "4", memory: "1Gi" }],
    ["beside", { cpu: "20m", memory: "64Mi" }],
  ]);
  for (const { resources } of [...initContainers, ...containers]) expect(resources.limits).toEqual(resources.requests);
});

it("its server first compares the CPUs it was given with their planned number", () => {
  const [{ command, env }, beside] = (guaranteed(pod, 4) as typeof pod).containers;
  expect(command.slice(0, 2)).toEqual(["bash", "--norc"]);
  expect(command.at(-1)).toBe("server");
  expect(env).toEqual([
    { name: "A", value: "b" },
    { name: "EXCLUSIVE_CPUS", value: "4" },
  ]);
  expect(beside.command).toEqual(["beside"]);
});
