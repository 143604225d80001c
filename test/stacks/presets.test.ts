import { describe, expect, it } from "vitest";
import { goodRun } from "../benchmarks/client/facts.ts";
import { presetConfig, runProgram, STATEFUL_SET } from "./program.ts";

/** The two published scenarios on nodes of 2 sockets of 24 cores: by instance the CPUs, their memory node, and the threads. */
const published = {
  "low-latency": [
    { cpus: "0-23", memoryNode: 0, threads: 24 },
    { cpus: "24-47", memoryNode: 1, threads: 24 },
  ],
  "high-throughput": [
    "0-1@0 2-3@0 4-5@0 6-7@0 8-9@0 10-11@0 12-13@0 14-15@0 16-17@0 18-19@0 20-21@0 22-23@0",
    "24-25@1 26-27@1 28-29@1 30-31@1 32-33@1 34-35@1 36-37@1 38-39@1 40-41@1 42-43@1 44-45@1 46-47@1",
  ].flatMap((socket) =>
    socket.split(" ").map((text) => {
      const [cpus, node] = text.split("@");
      return { cpus, memoryNode: Number(node), threads: 2 };
    }),
  ),
};

const result = (name: string) =>
  JSON.stringify({
    ...goodRun(),
    key: name.replace("benchmark-result-", ""),
    verdict: { valid: true, reasons: [], notes: [] },
  });

describe.each(Object.entries(published))("%s, as published", async (stack, instances) => {
  const { exports, resources } = await runProgram(presetConfig(stack), { result });

  it("plans every CPU list, memory node and number of threads, on both nodes", () => {
    expect(exports.plan.nodes).toEqual(
      ["node1", "node2"].map((name) => ({ name, instances, systemCpus: null, clientCpus: null, leftOver: null })),
    );
  });

  it("hands them to the servers", () => {
    const sets = resources.filter(({ type, name }) => type === STATEFUL_SET && name.startsWith("server-"));
    expect(sets.map(({ inputs }) => inputs.spec.template.spec.nodeSelector["kubernetes.io/hostname"])).toEqual([
      "node1",
      "node2",
    ]);
    for (const { inputs } of sets) {
      const [{ env }] = inputs.spec.template.spec.containers;
      const value = (key: string) => env.find(({ name }: { name: string }) => name === key)?.value;
      expect(inputs.spec.replicas).toBe(instances.length);
      expect(value("CPU_LISTS").split(";")).toEqual(instances.map(({ cpus }) => cpus));
      expect(value("INFERENCE_NUM_THREADS")).toBe(String(instances[0].threads));
      expect(value("NUM_STREAMS")).toBe("1");
      expect(value("OMP_NUM_THREADS")).toBe(String(instances[0].threads));
      expect(value("KMP_SETTINGS")).toBe("1");
      expect(value("KMP_AFFINITY")).toBe("granularity=fine,verbose,compact,1,0");
      expect(value("KMP_BLOCKTIME")).toBe("1");
    }
  });
});
