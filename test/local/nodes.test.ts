import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCpuList } from "../../components/serving/cpuList.ts";
import { planCpus } from "../../components/serving/cpuPlan.ts";
import type { NodeTopology } from "../../components/serving/topology.ts";
import { stackNodes, withFormerNodes } from "../../local/stack/nodes.ts";

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const machine = (...numa: number[][]): NodeTopology => ({ name: "this machine", numa, smt: 1 });
const two = machine([0, 1]);
const sockets = machine(range(0, 3), range(4, 7));

const config = (keys: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(keys).map(([key, value]) => [`inference-stack:${key}`, value]));
const nodes = (keys: Record<string, unknown>, of = two) => stackNodes(config(keys), of);

describe("the embedded cluster's nodes", () => {
  it("are one with the whole machine, unless the config says more", () => {
    expect(nodes({ cluster: { kind: "embedded" } })).toEqual([
      { topology: { name: "node1", numa: [[0, 1]], smt: 1 }, shape: { cpus: null, sharedCpus: null } },
    ]);
  });

  it("have equal parts of it, in order of its NUMA nodes, whose numbers they keep", () => {
    expect(nodes({ cluster: { nodes: 2 } }).map(({ topology }) => topology.numa)).toEqual([[[0]], [[1]]]);
    expect(nodes({ cluster: { nodes: 2 } }, sockets).map(({ topology }) => topology.numa)).toEqual([
      [range(0, 3)],
      [[], range(4, 7)],
    ]);
  });

  it("have the cores they are given", () => {
    const [first, second] = nodes({ cluster: { cores: [[0, 5], [6]] } }, sockets);
    expect(first).toEqual({
      topology: { name: "node1", numa: [[0], [5]], smt: 1 },
      shape: { cpus: "0,5", sharedCpus: null },
    });
    expect(second.shape.cpus).toBe("6");
  });

  it("have all threads of their cores", () => {
    const smt: NodeTopology = {
      ...two,
      smt: 2,
      siblings: [
        [0, 2],
        [1, 3],
      ],
    };
    expect(nodes({ cluster: { nodes: 2 } }, smt).map(({ shape }) => shape.cpus)).toEqual(["0,2", "1,3"]);
  });

  it("divide every machine without sharing and without rest, the first having most", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 20 }), (count, more) => {
        const all = range(0, count + more - 1);
        const found = nodes({ cluster: { nodes: count } }, machine(all));
        const parts = found.map(({ topology }) => topology.numa.flat());
        expect(parts.flat()).toEqual(all);
        expect(new Set(parts.slice(1).map((part) => part.length)).size).toBeLessThanOrEqual(1);
        for (const part of parts) expect(parts[0].length).toBeGreaterThanOrEqual(part.length);
        if (count > 1)
          for (const [i, { shape }] of found.entries()) expect(parseCpuList(shape.cpus!)).toEqual(parts[i]);
      }),
    );
  });

  it.each<[string, unknown, RegExp]>([
    [
      "more nodes than cores",
      { nodes: 3 },
      /^cluster.nodes: 3 is not possible; it must be a whole number from 1 to 2, .* 2 cores \(0-1\)/,
    ],
    ["no node", { nodes: 0 }, /^cluster.nodes: 0 is not possible/],
    ["a text", { nodes: "two" }, /^cluster.nodes: "two" is not possible/],
    [
      "a core that is not there",
      { cores: [[0], [7]] },
      /^cluster.cores: there is no core 7; this machine has 2 cores \(0-1\)/,
    ],
    ["a core of two nodes", { cores: [[0], [0]] }, /^cluster.cores: core 0 is there twice/],
    ["a node without cores", { cores: [[0, 1], []] }, /^cluster.cores: \[\[0,1\],\[\]\] is not a list of/],
    ["cores without lists", { cores: [0, 1] }, /^cluster.cores: \[0,1\] is not a list of/],
    [
      "two numbers of nodes",
      { nodes: 1, cores: [[0], [1]] },
      /^cluster.nodes: 1 is not the number of lists in cluster.cores, which is 2/,
    ],
  ])("cannot be: %s", (_, cluster, expected) => expect(() => nodes({ cluster })).toThrow(expected));
});

describe("the kubelet's CPU manager", () => {
  const cpuset = { pinning: "cpuset", reserved: { client: 1 } };

  it("is on when the stack pins by cpuset, and keeps what is reserved", () => {
    expect(nodes(cpuset)[0].shape.sharedCpus).toEqual({ quantity: "100m" });
    expect(nodes({ ...cpuset, pinning: "numactl" })[0].shape.sharedCpus).toBeNull();
    expect(nodes({ ...cpuset, reserved: { system: 1, client: 2 } }, machine(range(0, 7)))[0].shape.sharedCpus).toEqual({
      quantity: "2100m",
    });
  });

  it("is told which cores where the lowest are not for sure what it would keep", () => {
    const interleaved = machine([0, 2, 4], [1, 3, 5]);
    expect(nodes({ ...cpuset, reserved: { system: 2 } }, interleaved)[0].shape.sharedCpus).toEqual({ list: "0-1" });
  });

  it("keeps whole cores", () => {
    const smt: NodeTopology = {
      ...two,
      smt: 2,
      siblings: [
        [0, 2],
        [1, 3],
      ],
    };
    expect(nodes(cpuset, smt)[0].shape.sharedCpus).toEqual({ quantity: "1100m" });
  });

  it("is off where nothing is reserved, or all would be; the plan says then what is wrong", () => {
    expect(nodes({ pinning: "cpuset" })[0].shape.sharedCpus).toBeNull();
    expect(nodes({ pinning: "cpuset", reserved: { system: 2 } })[0].shape.sharedCpus).toBeNull();
  });
});

it("a node the cluster had before stays in the plan, and serves nothing", () => {
  const before = nodes({ cluster: { nodes: 2 } }).map(({ topology }) => topology);
  const now = nodes({}).map(({ topology }) => topology);
  const topology = withFormerNodes(now, before);
  const plan = planCpus({
    topology,
    nodes: now.length,
    instances: 2,
    cpus: 2,
    sockets: 1,
    reserved: { system: 0, client: 0 },
    pinning: "numactl",
  });
  expect(plan.nodes.map(({ name, instances }) => [name, instances.map(({ cpus }) => cpus)])).toEqual([
    ["node1", ["0", "1"]],
    ["node2", []],
  ]);
  expect(withFormerNodes(before, topology)).toEqual(before);
});
