import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { misplaced } from "../../benchmarks/client/placement.ts";
import { placementOf } from "../../benchmarks/placement.ts";
import { formatCpuList } from "../../components/serving/cpuList.ts";
import { planCpus } from "../../components/serving/cpuPlan.ts";
import type { NodeTopology } from "../../components/serving/topology.ts";

const topology: NodeTopology = {
  name: "n",
  numa: [
    [0, 1, 2],
    [3, 4, 5],
  ],
  smt: 2,
  siblings: [0, 1, 2, 3, 4, 5].map((cpu) => [cpu, cpu + 6]),
};
const request = { topology: [topology], instances: 2, cpus: 4, sockets: 2, reserved: { system: 0, client: 1 } };
const [planned] = placementOf(planCpus({ ...request, pinning: "cpuset" }), [topology]);
const check = (...lists: (string | null)[]) =>
  misplaced(
    planned,
    lists.map((cpusAllowed, index) => ({ pod: `p${index}`, cpusAllowed })),
  );

it("is planned by number and NUMA node, and only where the kubelet chooses", () => {
  expect(planned).toEqual({
    node: "n",
    cpus: 4,
    numa: [
      { cpus: "0-2,6-8", servers: 1 },
      { cpus: "3-5,9-11", servers: 1 },
    ],
  });
  expect(placementOf(planCpus({ ...request, pinning: "numactl" }), [topology])).toEqual([]);
  expect(placementOf(planCpus({ ...request, pinning: "none" }), [topology])).toEqual([]);
});

describe("where the kubelet has put servers", () => {
  it.each<[string, (string | null)[], string[]]>([
    ["is right in one order", ["1-2,7-8", "4-5,10-11"], []],
    ["and in the other, on other cores", ["3-4,9-10", "1-2,7-8"], []],
    [
      "is wrong with too many CPUs",
      ["1-2,7-8", "3-5,9-11"],
      ["Pod p1 may run on CPUs 3-5,9-11; planned were 4 of its own."],
    ],
    [
      "is wrong with shared CPUs",
      ["1-2,7-8", "2-3,8-9"],
      ["Pods p0 and p1 share CPUs 2,8.", "CPUs 2-3,8-9 of pod p1 are of NUMA nodes 0 and 1; planned was one."],
    ],
    [
      "is wrong when all are on one NUMA node",
      ["1,7,0,6", "2,8,0,6"],
      [
        "Pods p0 and p1 share CPUs 0,6.",
        "2 servers on n are on NUMA node 0; planned were 1.",
        "0 servers on n are on NUMA node 1; planned were 1.",
      ],
    ],
    [
      "is unknown when a log does not tell",
      [null, "4-5,10-11"],
      ["The log of pod p0 does not say on which CPUs it runs."],
    ],
  ])("%s", (_, lists, expected) => expect(check(...lists)).toEqual(expected));

  it("is right for every plan when each has what is planned for it", () => {
    const asked = fc.record({
      sockets: fc.integer({ min: 1, max: 3 }),
      perSocket: fc.integer({ min: 1, max: 4 }),
      cores: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(asked, ({ sockets, perSocket, cores }) => {
        const size = perSocket * cores + 1;
        const numa = Array.from({ length: sockets }, (_, s) => Array.from({ length: size }, (_, i) => s * size + i));
        const request = {
          topology: [{ name: "n", numa, smt: 1 }],
          instances: sockets * perSocket,
          cpus: sockets * perSocket * cores,
          sockets,
          reserved: { system: 1, client: 0 },
        };
        const exact = planCpus({ ...request, pinning: "numactl" }).nodes[0];
        const servers = exact.instances.map(({ cpus }, index) => ({ pod: `p${index}`, cpusAllowed: cpus }));
        const [node] = placementOf(planCpus({ ...request, pinning: "cpuset" }), request.topology);
        expect(misplaced(node, servers.reverse())).toEqual([]);
        const all = formatCpuList(numa.flat());
        expect(
          misplaced(
            node,
            servers.map(({ pod }) => ({ pod, cpusAllowed: all })),
          ),
        ).not.toEqual([]);
      }),
    );
  });
});
