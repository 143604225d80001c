import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseCpuList } from "../../components/serving/cpuList.ts";
import { partOf, threadsOf, topologyOf } from "../../components/serving/topology.ts";
import { readTopology } from "../../local/cluster/topology.ts";
import { parseSysfs, printSysfs } from "../../local/topology.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "topology-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A sysfs of our own. */
function machine(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
}

function siblings(pairs: Record<number, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(pairs).map(([cpu, list]) => [`cpu/cpu${cpu}/topology/thread_siblings_list`, list]),
  );
}

describe("readTopology", () => {
  it("reads interleaved numbering as the kernel tells it", () => {
    machine({ "cpu/online": "0-3", "node/node0/cpulist": "0,2", "node/node1/cpulist": "1,3" });
    expect(readTopology("n", root)).toEqual({
      name: "n",
      numa: [
        [0, 2],
        [1, 3],
      ],
      smt: 1,
    });
  });

  it("keeps one hardware thread of each core", () => {
    machine({
      "cpu/online": "0-7",
      "node/node0/cpulist": "0-1,4-5",
      "node/node1/cpulist": "2-3,6-7",
      ...siblings({ 0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7" }),
    });
    expect(readTopology("n", root)).toEqual({
      name: "n",
      numa: [
        [0, 1],
        [2, 3],
      ],
      smt: 2,
      siblings: [
        [0, 4],
        [1, 5],
        [2, 6],
        [3, 7],
      ],
    });
  });

  it("leaves out CPUs that are offline, and memory nodes without CPUs", () => {
    machine({
      "cpu/online": "0,2-3",
      "node/node0/cpulist": "0-3",
      "node/node1/cpulist": "",
      ...siblings({ 0: "0-1", 2: "2-3", 3: "2-3" }),
    });
    expect(readTopology("n", root)).toEqual({
      name: "n",
      numa: [[0, 2]],
      smt: 2,
      siblings: [[0], [2, 3]], // the sibling of CPU 0 is offline
    });
  });

  it("takes a kernel without NUMA as one node", () => {
    machine({ "cpu/online": "0-1" });
    expect(readTopology("n", root)).toEqual({ name: "n", numa: [[0, 1]], smt: 1 });
  });

  it("keeps the numbers of NUMA nodes where some have no cores or are not there", () => {
    machine({ "cpu/online": "0-1", "node/node0/cpulist": "", "node/node3/cpulist": "0", "node/node1/cpulist": "1" });
    expect(readTopology("n", root).numa).toEqual([[], [1], [], [0]]);
  });
});

describe("a pod on a node of another cluster", () => {
  it("prints what the same files on this machine would tell", () => {
    machine({
      "cpu/online": "0-2",
      "node/node0/cpulist": "0,2-3",
      "node/node1/cpulist": "1",
      "cpu/cpufreq/x": "no CPU",
      ...siblings({ 0: "0,2", 1: "1", 2: "0,2" }),
    });
    const printed = execFileSync("sh", ["-c", printSysfs(root)], { encoding: "utf8" });
    expect(topologyOf("n", parseSysfs(printed))).toEqual(readTopology("n", root));
    expect(readTopology("n", root)).toEqual({ name: "n", numa: [[0], [1]], smt: 2, siblings: [[0, 2], [1]] });
  });

  it("tells of no CPUs but those it has, on a kernel without NUMA and siblings", () => {
    machine({ "cpu/online": "0-1" });
    const printed = execFileSync("sh", ["-c", printSysfs(root)], { encoding: "utf8" });
    expect(topologyOf("n", parseSysfs(printed))).toEqual({ name: "n", numa: [[0, 1]], smt: 1 });
  });
});

describe("partOf", () => {
  it("divides a machine into nodes that together are all of it, with their threads and NUMA numbers", () => {
    const numbers = fc.record({
      sockets: fc.integer({ min: 1, max: 3 }),
      cores: fc.integer({ min: 1, max: 4 }),
      smt: fc.integer({ min: 1, max: 2 }),
      pick: fc.func(fc.boolean()),
    });
    fc.assert(
      fc.property(numbers, ({ sockets, cores, smt, pick }) => {
        const numa = Array.from({ length: sockets }, (_, s) =>
          Array.from({ length: cores }, (_, i) => i * sockets + s),
        );
        const all = numa.flat();
        const threads = all.map((cpu) => (smt === 2 ? [cpu, cpu + all.length] : [cpu]));
        const whole = { name: "m", numa, smt, ...(smt > 1 ? { siblings: threads } : {}) };
        const parts = [true, false].map((side) => all.filter((cpu) => pick(cpu) === side));
        const nodes = parts.filter((part) => part.length > 0).map((part, i) => partOf(whole, `n${i}`, part));
        for (const node of nodes)
          for (const [number, own] of node.numa.entries()) for (const core of own) expect(numa[number]).toContain(core);
        const cpus = nodes.flatMap((node) => threadsOf(node, node.numa.flat()));
        expect(cpus.sort((a, b) => a - b)).toEqual(threads.flat().sort((a, b) => a - b));
        for (const node of nodes) expect(node.smt).toBe(smt);
      }),
    );
  });
});

describe("parseCpuList", () => {
  it.each([
    ["0", [0]],
    ["0-2,8", [0, 1, 2, 8]],
    ["", []],
  ])("reads %j", (list, cpus) => expect(parseCpuList(list)).toEqual(cpus));
});
