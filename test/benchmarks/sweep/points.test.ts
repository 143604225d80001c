import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settingsOf } from "../../../benchmarks/sweep/axes.ts";
import { pointsOf, type SweepRequest, sweepProblems } from "../../../benchmarks/sweep/points.ts";

const machines = { nodes: 2, cpus: 48, sockets: 2 };
const stack = { instances: 2, cpus: 48, sockets: 2, clients: 4, protocol: "v2-grpc" };
const request = (changes: Partial<SweepRequest>): SweepRequest => ({ axes: {}, where: [], cells: [], ...changes });
const points = (changes: Partial<SweepRequest>) => pointsOf(request(changes), stack, machines);

describe("the points of a sweep", () => {
  it("are every combination, with the servers' axes outermost in whatever order they are given", () => {
    expect(points({ axes: { clients: [1, 2], instances: [2, 4] } })).toEqual([
      { instances: 2, clients: 1 },
      { instances: 2, clients: 2 },
      { instances: 4, clients: 1 },
      { instances: 4, clients: 2 },
    ]);
  });

  it("are those that all conditions hold for, which may name axes that are not varied", () => {
    const axes = { clients: [1, 4, 8], instances: [1, 2, 4] };
    expect(points({ axes, where: ["clients <= 2 * instances", "cpus % instances == 0 && instances > 1"] })).toEqual([
      { instances: 2, clients: 1 },
      { instances: 2, clients: 4 },
      { instances: 4, clients: 1 },
      { instances: 4, clients: 4 },
      { instances: 4, clients: 8 },
    ]);
    expect(points({ axes: { protocol: ["v2-grpc", "v2-rest"] }, where: ["protocol.endsWith('grpc')"] })).toEqual([
      { protocol: "v2-grpc" },
    ]);
    expect(points({ axes: { rate: [10, 12.5] }, where: ["rate > 11"] })).toEqual([{ rate: 12.5 }]);
  });

  it("are there once, also those that are listed beside the grid", () => {
    expect(points({ axes: { clients: [1] }, cells: [{ clients: 1 }, { clients: 9, instances: 24 }] })).toEqual([
      { clients: 1 },
      { clients: 9, instances: 24 },
    ]);
  });

  it("of the guide's loop are nodes x possible instances x clients, each of which can be said otherwise", () => {
    const guide = points({ preset: "guide" });
    expect([...new Set(guide.map(({ instances }) => instances))]).toEqual([2, 4, 6, 8, 12, 16, 24, 48]);
    expect([...new Set(guide.map(({ nodes }) => nodes))]).toEqual([2]);
    const own = points({ preset: "guide", axes: { instances: [2, 24], clients: [10] } });
    expect(own).toEqual([
      { nodes: 2, instances: 2, clients: 10 },
      { nodes: 2, instances: 24, clients: 10 },
    ]);
  });

  it("change the servers as seldom as can be: each combination of their axes comes once", () => {
    const values = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(values, values, values, (instances, cpus, clients) => {
        const all = points({ axes: { clients, cpus, instances } });
        const servers = all.map((point) => `${point.cpus} ${point.instances}`);
        const changes = servers.filter((word, index) => word !== servers[index - 1]).length;
        expect(changes).toBe(instances.length * cpus.length);
        expect(all).toHaveLength(instances.length * cpus.length * clients.length);
      }),
    );
  });

  it("become config keys", () => {
    expect(settingsOf({ nodes: 2, rate: 40, server: "ovms" })).toEqual({
      "cluster.nodes": 2,
      "server.kind": "ovms",
      "benchmark.load.rate": 40,
    });
  });
});

describe("mistakes in a sweep", () => {
  it.each([
    [{ axes: { clients: [1], rate: [5] } }, /^sweep.axes: clients and rate are both there/],
    [{ cells: [{}, { nodes: 1, replicas: 1 }] }, /^sweep.cells\[1\]: nodes and replicas are both there/],
    [{ where: ["clint > 3"] }, /^sweep.where\[0\]: "clint > 3" .*clint.*the axes here are .*clients/],
    [{ where: ["clients +"] }, /^sweep.where\[0\]: "clients \+" cannot be used/],
    [{ where: ["clients"] }, /of type int and not a condition/],
  ])("are said with the key and the way out: %j", (changes, line) => {
    const problems = sweepProblems(request(changes), stack);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(line);
  });
});
