import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";
import { running } from "../../local/cluster/process.ts";
import { instance, state } from "../../local/paths.ts";
import { cli, configs, output, quick, result, succeed } from "./cli.ts";

/**
 * The main job, in the order a user lives it: up, nothing to do, change, mistakes, kill, destroy. Each step starts from
 * what the one before left, because that is what is being tested.
 */
const set = (...sets: string[]) => configs([...quick, ...sets]);
const two = ["instances=2", "cpus=2", "reserved.client=0"];

const pods = async () =>
  (
    JSON.parse(await kubectl(["get", "pods", "-A", "-l", "inference-stack/plan", "-o", "json"])) as {
      items: { metadata: { name: string; uid: string } }[];
    }
  ).items;

interface Step {
  op: string;
  urn: string;
}
/** What a preview would do, by operation, without what stays the same. */
async function steps(...sets: string[]): Promise<Record<string, string[]>> {
  const { steps } = JSON.parse(await output("preview", ...set(...sets), "--json")) as { steps: Step[] };
  const changes: Record<string, string[]> = {};
  for (const { op, urn } of steps.filter(({ op }) => op !== "same" && op !== "read"))
    changes[op] = [...(changes[op] ?? []), urn.split("::").slice(2).join("::")];
  return changes;
}

/** How many resources of which type that is. */
const typesOf = (changes: Record<string, string[]>) =>
  Object.fromEntries(
    Object.entries(changes).map(([op, urns]) => {
      const types = urns.map((urn) => urn.split("::")[0].split(":").at(-1)!);
      return [op, Object.fromEntries(types.map((type) => [type, types.filter((other) => other === type).length]))];
    }),
  );

describe("npm start", () => {
  afterAll(() => cli("stop", "--purge"));

  it("runs beside the checkout's own cluster, not on it", () => {
    expect(instance).toMatch(/-test-\d+$/);
  });

  it("ends in a real measurement with right answers", async () => {
    const printed = await succeed("start", ...set());
    const { benchmark, throughput, verdict } = JSON.parse(await output("outputs"));
    expect(printed).toContain("inferences/s");
    expect(benchmark.correctness.checked).toBeGreaterThan(50);
    expect(benchmark.correctness.wrong).toBe(0);
    expect(benchmark.errors.total).toBe(0);
    expect(benchmark.throughput.inferencesPerSecond).toBeGreaterThan(20);
    expect(benchmark.environment.servers).toHaveLength(1);
    expect(benchmark.environment.servers[0].cpusAllowed).toBe(benchmark.environment.servers[0].cpusPlanned);
    expect(throughput).toEqual(benchmark.throughput);
    expect(verdict).toEqual(benchmark.verdict);
  });

  it("changes nothing and measures nothing the second time", async () => {
    const before = await result();
    const printed = await succeed("start", ...set());
    expect(printed).toContain("not measured again");
    expect((await result()).startedAt).toBe(before.startedAt);
    expect(await steps()).toEqual({});
  });

  it("measures again on request", async () => {
    const before = await result();
    await succeed("start", "--rerun", ...set());
    const after = await result();
    expect(after.key).not.toBe(before.key);
    expect(after.startedAt > before.startedAt).toBe(true);
  });

  it("touches only the benchmark when the load changes", async () => {
    const [server] = await pods();
    const changes = await steps("benchmark.clients=1");
    expect(
      Object.values(changes)
        .flat()
        .filter((urn) => !urn.includes("Benchmark")),
    ).toEqual([]);
    await succeed("start", ...set("benchmark.clients=1"));
    expect((await result()).load.requested).toMatchObject({ mode: "closed", clients: 1 });
    expect((await pods())[0].metadata.uid).toBe(server.metadata.uid);
  });

  it("measures the new set of servers alone when their number changes, up and down", async () => {
    await succeed("start", ...set(...two));
    const both = await result();
    expect(both.environment.servers.map((server) => server.cpusAllowed).sort()).toEqual(["0", "1"]);
    expect(both.verdict.notes.join()).toMatch(/share/i);

    // Of everything deployed only the servers' workload and the experiment: its description, its result, which its Role may
    // write, and its Job.
    const fewer = ["cpus=2", "reserved.client=0"];
    expect(typesOf(await steps(...fewer))).toEqual({
      update: { StatefulSet: 1, Role: 1 },
      create: { ConfigMap: 2, Job: 1 },
      delete: { ConfigMap: 2, Job: 1 },
    });
    const printed = await succeed("start", ...set(...fewer));
    expect(printed).toMatch(/Resources:\s+\+ 3 created\s+~ 2 updated\s+- 3 deleted\s+8 changes\. \d+ unchanged/);
    expect((await result()).environment.servers).toHaveLength(1);
    expect(await pods()).toHaveLength(1);
  });

  it("says each mistake in the config in one line, and touches nothing", async () => {
    const before = await pods();
    const { code, output } = await cli("start", ...set("instnaces=2", "cpus=64", "benchmark.clients=many"));
    expect(code).not.toBe(0);
    for (const key of ["instnaces", "cpus", "benchmark.clients"]) expect(output).toContain(key);
    expect(output).toContain("instances"); // did you mean
    expect(output).not.toMatch(/\n\s+at .*\.ts:\d+/);
    expect(await pods()).toEqual(before);
  });

  it("fails with the pod's reason and last log lines when a server never becomes ready", async () => {
    const { code, output } = await cli("start", ...set("server.memory=48Mi", "server.readySeconds=15"));
    expect(code).not.toBe(0);
    expect(output).toMatch(/pod inference-dev\/server-node1-0, container triton: .*(OOMKilled|exit code)/);
    expect(output).toMatch(/\n {2}\| \S/);
    expect(output).not.toMatch(/\n\s+at .*\.ts:\d+/);
    await succeed("start", ...set());
  });

  it("goes on after the whole node was killed", async () => {
    process.kill(running()!, "SIGKILL");
    await succeed("start", ...set());
    expect(await pods()).toHaveLength(1);
    await succeed("start", "--rerun", ...set());
    expect((await result()).correctness.wrong).toBe(0);
  });

  it("leaves nothing behind when it is destroyed", async () => {
    await succeed("destroy");
    const namespaces = (await kubectl(["get", "namespaces", "-o", "name"])).trim().split("\n").sort();
    expect(namespaces).toEqual(
      ["default", "kube-node-lease", "kube-public", "kube-system"].map((name) => `namespace/${name}`),
    );
    await expect.poll(() => kubectl(["get", "pv", "-o", "name"]), { timeout: 30_000 }).toBe("");
    await expect.poll(() => readdirSync(join(state.cluster, "volumes")), { timeout: 30_000 }).toEqual([]);
    await succeed("stop", "--purge");
    expect(running()).toBeUndefined();
    expect(existsSync(state.cluster)).toBe(false);
  });
});
