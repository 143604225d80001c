import { expect, it } from "vitest";
import { summary } from "../../local/stack/summary.ts";
import { goodRun } from "../benchmarks/client/facts.ts";

const verdict = { valid: true, reasons: [], notes: [] };

it("says which CPUs the kubelet has given a server, and that it chose them", () => {
  const run = goodRun();
  const [server] = run.environment.servers;
  const servers = [
    { ...server, pod: "server-n1-0", cpusPlanned: null, cpusAllowed: "2-3" },
    { ...server, pod: "server-n1-1", cpusPlanned: null, cpusAllowed: "4-5" },
  ];
  const benchmark = { ...run, environment: { ...run.environment, servers }, verdict };
  const instance = { cpus: null, exclusiveCpus: 2, memoryNode: 1 };
  const plan = { nodes: [{ name: "n1", instances: [instance, instance], clientCpus: "0" }] };
  const text = summary({ plan, benchmark }, undefined, true);
  expect(text).toContain("n1  instance 1  2 CPUs of its own, chosen by the kubelet  memory node 1");
  expect(text).toMatch(/ran on +CPUs 2-3 {2}server-n1-0\n +CPUs 4-5 {2}server-n1-1\n/);
  expect(text).not.toContain("not pinned");
});

it("says where each server runs, and the client of the first node alone", () => {
  const nodes = [
    { name: "n1", instances: [{ cpus: "1", memoryNode: 0 }], clientCpus: "0" },
    { name: "n2", instances: [{ cpus: null, memoryNode: null }], clientCpus: "4" },
    { name: "n3", instances: [], clientCpus: null },
  ];
  expect(summary({ plan: { nodes } }, undefined, true).split("\n")).toEqual([
    "CPU plan",
    "  n1  instance 0  CPUs 1  memory node 0",
    "  n2  instance 0  not pinned",
    "  n1  client      CPUs 0",
    "",
    "No benchmark in this stack (benchmark.enabled is false).",
  ]);
});
