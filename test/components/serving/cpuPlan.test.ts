import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatCpuList } from "../../../components/serving/cpuList.ts";
import { PlanError, type PlanRequest, planCpus } from "../../../components/serving/cpuPlan.ts";
import type { NodeTopology } from "../../../components/serving/topology.ts";

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const twoSockets: NodeTopology = { name: "node1", numa: [range(0, 23), range(24, 47)], smt: 2 };
const twoCores: NodeTopology = { name: "node1", numa: [[0, 1]], smt: 1 };
const nothing = { system: 0, client: 0 };

const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
  topology: [twoSockets],
  instances: 2,
  cpus: 48,
  sockets: 2,
  reserved: nothing,
  pinning: "numactl",
  ...changes,
});
const placed = (changes: Partial<PlanRequest>) =>
  planCpus(request(changes)).nodes[0].instances.map(({ cpus, memoryNode }) => `${cpus}@${memoryNode}`);
const problems = (changes: Partial<PlanRequest>) => {
  try {
    planCpus(request(changes));
  } catch (error) {
    if (error instanceof PlanError) return error.problems;
    throw error;
  }
  return [];
};

/** Expands what formatCpuList writes. */
const expand = (list: string | null) =>
  (list ?? "")
    .split(",")
    .filter(Boolean)
    .flatMap((part) => {
      const [from, to = from] = part.split("-").map(Number);
      return range(from, to);
    });

describe("the published scenarios on 48 cores in 2 sockets", () => {
  it("low latency: a whole socket for each of 2 instances", () => {
    expect(placed({ instances: 2 })).toEqual(["0-23@0", "24-47@1"]);
    expect(planCpus(request()).nodes[0].instances[0].threads).toBe(24);
  });

  it("high throughput: two cores for each of 24 instances", () => {
    const expected = range(0, 23).map((i) => `${2 * i}-${2 * i + 1}@${i < 12 ? 0 : 1}`);
    expect(placed({ instances: 24 })).toEqual(expected);
  });
});

describe("two cores in one NUMA node", () => {
  const one = { topology: [twoCores], sockets: 1 };

  it("reserves the lowest core for the client and serves on the other", () => {
    const [node] = planCpus(request({ ...one, instances: 1, cpus: 1, reserved: { system: 0, client: 1 } })).nodes;
    expect(node).toMatchObject({ clientCpus: "0", systemCpus: null, leftOver: null });
    expect(node.instances).toEqual([{ cpus: "1", memoryNode: 0, threads: 1 }]);
  });

  it("says that the client has no cores of its own when none are reserved", () => {
    const [node] = planCpus(request({ ...one, instances: 2, cpus: 2 })).nodes;
    expect(node.clientCpus).toBeNull();
    expect(node.instances.map(({ cpus }) => cpus)).toEqual(["0", "1"]);
  });

  it("reserves for the system before the client", () => {
    const topology = [{ name: "n", numa: [[0, 1, 2, 3]], smt: 1 }];
    const [node] = planCpus(
      request({ topology, sockets: 1, instances: 1, cpus: 1, reserved: { system: 1, client: 1 } }),
    ).nodes;
    expect(node).toMatchObject({ systemCpus: "0", clientCpus: "1", leftOver: "3" });
    expect(node.instances[0].cpus).toBe("2");
  });
});

it("follows the node's own numbering", () => {
  const even = range(0, 7).map((i) => 2 * i);
  const topology = [{ name: "n", numa: [even, even.map((cpu) => cpu + 1)], smt: 2 }];
  expect(placed({ topology, cpus: 8, instances: 2 })).toEqual(["0,2,4,6@0", "1,3,5,7@1"]);
});

it("plans nodes that do not serve without instances", () => {
  const topology = [twoSockets, { ...twoSockets, name: "node2" }];
  expect(planCpus(request({ topology, nodes: 1 })).nodes.map(({ instances }) => instances.length)).toEqual([2, 0]);
});

it("divides only the number of cores without pinning", () => {
  const [node] = planCpus(request({ pinning: "none", instances: 1 })).nodes;
  expect(node.instances).toEqual([{ cpus: null, memoryNode: null, threads: 48 }]);
});

describe("both threads of a core", () => {
  /** Cores 0-3 in two sockets; the second thread of core n is n + 4. */
  const smt: NodeTopology = {
    name: "n",
    numa: [
      [0, 1],
      [2, 3],
    ],
    smt: 2,
    siblings: range(0, 3).map((cpu) => [cpu, cpu + 4]),
  };
  const both = { topology: [smt], cpus: 4, instances: 2, threadsPerCore: 2 };

  it("are one by default", () => {
    expect(placed({ ...both, threadsPerCore: 1 })).toEqual(["0-1@0", "2-3@1"]);
    expect(planCpus(request({ ...both, threadsPerCore: 1 })).nodes[0].instances[0].threads).toBe(2);
  });

  it("are used where the config says so", () => {
    expect(placed(both)).toEqual(["0-1,4-5@0", "2-3,6-7@1"]);
    expect(planCpus(request(both)).nodes[0].instances[0].threads).toBe(4);
  });

  it("are reserved together", () => {
    const [node] = planCpus(
      request({
        ...both,
        cpus: 2,
        sockets: 1,
        instances: 1,
        reserved: { system: 0, client: 1 },
        topology: [{ ...smt, numa: [[0, 1, 2, 3]] }],
      }),
    ).nodes;
    expect(node).toMatchObject({ clientCpus: "0,4", leftOver: "3,7" });
    expect(node.instances[0].cpus).toBe("1-2,5-6");
  });

  it.each<[string, Partial<PlanRequest>, RegExp]>([
    [
      "cores of one thread",
      { ...both, topology: [{ ...smt, smt: 1, siblings: undefined }] },
      /^threadsPerCore: 2 is not possible; the node has one hardware thread per core .* so 1 \(n\)$/,
    ],
    ["more than there are", { ...both, threadsPerCore: 3 }, /has 2 hardware threads per core .* so 1 or 2 \(n\)$/],
    [
      "siblings nobody told of",
      { ...both, topology: [{ ...smt, siblings: undefined }] },
      /^threadsPerCore: 2 needs all hardware threads .* cores 0-3 do not have 2 there; `npm run topology` prints them \(n\)$/,
    ],
    [
      "a core whose other thread is offline",
      { ...both, topology: [{ ...smt, siblings: [[0], [1, 5], [2, 6], [3, 7]] }] },
      /cores 0 do not have 2/,
    ],
    [
      "a thread of two cores",
      {
        ...both,
        topology: [
          {
            ...smt,
            siblings: [
              [0, 4],
              [1, 4],
            ],
          },
        ],
      },
      /lists CPU 4 twice in siblings/,
    ],
    [
      "siblings of no core",
      { ...both, topology: [{ ...smt, siblings: [[9, 10]] }] },
      /siblings \[9, 10\], but no core 9 in numa/,
    ],
  ])("fail with %s", (_, changes, expected) => {
    expect(problems(changes)).toEqual([expect.stringMatching(expected)]);
  });
});

describe("CPUs that the kubelet chooses", () => {
  const cpuset = { pinning: "cpuset", reserved: { system: 0, client: 2 }, cpus: 44, instances: 2 } as const;

  it("are planned by number and NUMA node, with all threads of their cores", () => {
    expect(planCpus(request(cpuset)).nodes[0]).toMatchObject({
      instances: [0, 1].map((memoryNode) => ({ cpus: null, exclusiveCpus: 44, memoryNode, threads: 22 })),
      clientCpus: "0-1",
    });
  });

  it("need a core that is kept for all other pods", () => {
    expect(problems({ ...cpuset, reserved: nothing })).toEqual([
      expect.stringMatching(/^pinning: cpuset needs a core in reserved/),
    ]);
  });
});

it("keeps the numbers of NUMA nodes where a node has only some of them", () => {
  expect(placed({ topology: [{ name: "n", numa: [[], [2, 3]], smt: 1 }], sockets: 1, cpus: 2, instances: 2 })).toEqual([
    "2@1",
    "3@1",
  ]);
  expect(
    problems({ topology: [{ name: "n", numa: [[], [2, 3]], smt: 1 }], sockets: 2, cpus: 2, instances: 2 }),
  ).toEqual(["sockets: 2 is more than the node has, which is 1 (n)"]);
});

describe("the hash", () => {
  it("stays for an equal plan and changes with any part of it", () => {
    const hash = (changes: Partial<PlanRequest> = {}) => planCpus(request(changes)).hash;
    expect(hash()).toBe(hash());
    const others = [
      hash(),
      hash({ instances: 4 }),
      hash({ cpus: 24 }),
      hash({ pinning: "none" }),
      hash({ cpus: 24, reserved: { system: 0, client: 1 } }),
      hash({ topology: [{ ...twoSockets, name: "other" }] }),
    ];
    expect(new Set(others).size).toBe(others.length);
  });
});

describe("an impossible plan", () => {
  it.each<[string, Partial<PlanRequest>, string[]]>([
    [
      "too many cores",
      { cpus: 96, instances: 2 },
      ["cpus: 96 is more than the node has; it has 48 cores, so at most 48 (node1)"],
    ],
    [
      "reserved cores",
      { topology: [twoCores], sockets: 1, cpus: 2, reserved: { system: 0, client: 1 } },
      [
        "cpus: 2 is more than the node has; it has 2 cores of which 0 are reserved for the system and 1 for the client, so at most 1 (node1)",
      ],
    ],
    [
      "all cores reserved and more",
      { reserved: { system: 40, client: 10 } },
      ["reserved: system 40 and client 10 are more than the 48 cores of a node (node1)"],
    ],
    [
      "instances that do not divide",
      { instances: 10 },
      ["instances: 10 does not divide cpus, which is 48; possible are 2, 4, 6, 8, 12, 16, 24, 48"],
    ],
    [
      "an instance across sockets",
      { instances: 3 },
      [
        "instances: 3 on 2 sockets would make an instance cross a socket; possible are 2, 4, 6, 8, 12, 16, 24, 48, or fewer sockets, or pinning none",
      ],
    ],
    [
      "cores that do not divide",
      { cpus: 45, instances: 1 },
      ["sockets: 2 does not divide cpus, which is 45; every socket gives the same number of cores"],
    ],
    [
      "too many sockets",
      { topology: [twoCores], cpus: 2, sockets: 2 },
      ["sockets: 2 is more than the node has, which is 1 (node1)"],
    ],
    [
      "reserved cores of one socket",
      { cpus: 46, instances: 2, reserved: { system: 0, client: 2 } },
      ["cpus: 46 in equal parts from 2 sockets is more than they have; at most 44, as some cores are reserved (node1)"],
    ],
    ["too many nodes", { nodes: 2 }, ["cluster.nodes: 2 is more than the 1 node in topology (node1)"]],
    [
      "a CPU twice",
      { topology: [{ ...twoCores, numa: [[0, 1], [1]] }], cpus: 2 },
      ["topology: node node1 lists CPU 1 twice; a CPU is in one NUMA node, once"],
    ],
  ])("%s", (_, changes, expected) => {
    expect(problems(changes)).toEqual(expected);
  });

  it("tells all mistakes at once, and equal mistakes of several nodes as one", () => {
    const topology = [twoSockets, { ...twoSockets, name: "node2" }];
    const found = problems({ topology, cpus: 100, instances: 3 });
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^instances: 3 does not divide/);
    expect(found[1]).toMatch(/at most 48 \(node1, node2\)$/);
  });
});

describe("every possible plan", () => {
  const possible = fc
    .record({
      sockets: fc.integer({ min: 1, max: 4 }),
      perSocket: fc.integer({ min: 1, max: 6 }),
      perInstance: fc.integer({ min: 1, max: 4 }),
      spare: fc.integer({ min: 0, max: 3 }),
      nodes: fc.integer({ min: 1, max: 3 }),
      system: fc.integer({ min: 0, max: 2 }),
      client: fc.integer({ min: 0, max: 2 }),
      interleaved: fc.boolean(),
      threadsPerCore: fc.constantFrom(1, 2),
      pinning: fc.constantFrom("numactl", "cpuset"),
    })
    .map(
      ({
        sockets,
        perSocket,
        perInstance,
        spare,
        nodes,
        system,
        client,
        interleaved,
        threadsPerCore,
        pinning,
      }): PlanRequest => {
        const cores = perSocket * perInstance + spare + system + Math.max(client, 1);
        const numa = range(0, sockets - 1).map((socket) =>
          range(0, cores - 1).map((core) => (interleaved ? core * sockets + socket : socket * cores + core)),
        );
        return {
          topology: range(1, nodes).map((n) => ({
            name: `node${n}`,
            numa,
            smt: 2,
            siblings: numa.flat().map((cpu) => [cpu, cpu + sockets * cores]),
          })),
          instances: sockets * perSocket,
          cpus: sockets * perSocket * perInstance,
          sockets,
          reserved: { system, client: pinning === "cpuset" ? Math.max(client, 1) : client },
          threadsPerCore,
          pinning: pinning as PlanRequest["pinning"],
        };
      },
    );
  const numactl = possible.map((asked): PlanRequest => ({ ...asked, pinning: "numactl" }));

  it("gives each core once, whole instances to NUMA nodes, and exactly what was asked for", () => {
    fc.assert(
      fc.property(numactl, (asked) => {
        for (const [index, node] of planCpus(asked).nodes.entries()) {
          const { siblings } = asked.topology[index];
          const each = asked.threadsPerCore!;
          const used = new Map(siblings!.map((threads) => [threads[0], threads.slice(0, each)]));
          const numa = asked.topology[index].numa.map((cores) => cores.flatMap((core) => used.get(core)!));
          const serving = node.instances.flatMap(({ cpus }) => expand(cpus));
          const all = [...serving, ...expand(node.systemCpus), ...expand(node.clientCpus), ...expand(node.leftOver)];
          expect(all.sort((a, b) => a - b)).toEqual(numa.flat().sort((a, b) => a - b)); // disjoint and complete
          expect(serving).toHaveLength(asked.cpus * each);
          expect(expand(node.systemCpus)).toHaveLength(asked.reserved.system * each);
          expect(expand(node.clientCpus)).toHaveLength(asked.reserved.client * each);
          for (const { cpus, memoryNode, threads } of node.instances) {
            expect(expand(cpus)).toHaveLength(threads);
            for (const cpu of expand(cpus)) expect(numa[memoryNode!]).toContain(cpu);
          }
          const perSocket = Map.groupBy(node.instances, ({ memoryNode }) => memoryNode);
          expect([...perSocket.values()].map((list) => list.length)).toEqual(
            Array(asked.sockets).fill(asked.instances / asked.sockets),
          );
        }
      }),
    );
  });

  it("leaves the kubelet as many whole cores as it will have to give", () => {
    fc.assert(
      fc.property(possible, (asked) => {
        for (const [index, node] of planCpus({
          ...asked,
          pinning: "cpuset",
          reserved: { ...asked.reserved, client: Math.max(asked.reserved.client, 1) },
        }).nodes.entries()) {
          const cores = asked.topology[index].numa.flat().length;
          const exclusive = node.instances.reduce((sum, { exclusiveCpus }) => sum + exclusiveCpus!, 0);
          expect(exclusive).toBe(asked.cpus * 2); // both threads of each, whether they are used or not
          expect(exclusive).toBeLessThan(cores * 2);
          for (const { cpus, threads } of node.instances) {
            expect(cpus).toBeNull();
            expect(threads).toBe((asked.cpus / asked.instances) * asked.threadsPerCore!);
          }
        }
      }),
    );
  });

  it("writes CPU lists as the kernel does", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200), { minLength: 1 }), (cpus) => {
        const list = formatCpuList(cpus);
        expect(expand(list)).toEqual([...cpus].sort((a, b) => a - b));
        expect(list).toMatch(/^\d+(-\d+)?(,\d+(-\d+)?)*$/);
        const parts = list.split(",").map((part) => part.split("-").map(Number));
        for (const [i, part] of parts.entries()) if (i > 0) expect(part[0]).toBeGreaterThan(parts[i - 1].at(-1)! + 1);
      }),
    );
  });
});
