import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatCpuList } from "../../../components/serving/cpuList.ts";
import { type NodeTopology, planCpus } from "../../../components/serving/cpuPlan.ts";
import { misplaced } from "../../../components/serving/placement.ts";

const topology: NodeTopology = {
  name: "n",
  numa: [
    [0, 1, 2],
    [3, 4, 5],
  ],
  smt: 2,
  siblings: [0, 1, 2, 3, 4, 5].map((cpu) => [cpu, cpu + 6]),
};
const [plan] = planCpus({
  topology: [topology],
  instances: 2,
  cpus: 4,
  sockets: 2,
  reserved: { system: 0, client: 1 },
  pinning: "cpuset",
}).nodes;
const check = (...lists: (string | null)[]) =>
  misplaced(
    plan,
    topology,
    lists.map((cpusAllowed, index) => ({ pod: `p${index}`, cpusAllowed })),
  );

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
        const [node] = planCpus({ ...request, pinning: "cpuset" }).nodes;
        expect(misplaced(node, request.topology[0], servers.reverse())).toEqual([]);
        const all = formatCpuList(numa.flat());
        expect(
          misplaced(
            node,
            request.topology[0],
            servers.map(({ pod }) => ({ pod, cpusAllowed: all })),
          ),
        ).not.toEqual([]);
      }),
    );
  });
});
