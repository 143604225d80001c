import { afterAll, describe, expect, it } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";
import { cli, configs, output, result, succeed } from "./cli.ts";

/** The engine seldon with its real operator, in the order a user lives it; each step starts from what the one before left. */
const seldon = (...sets: string[]) =>
  configs([
    "engine=seldon",
    "benchmark.warmup=1",
    "benchmark.duration=15",
    "benchmark.thresholds.maxDrift=1", // two servers and the client share two cores with whatever else runs
    "server.readySeconds=120",
    ...sets,
  ]);
const two = ["instances=2", "cpus=2", "reserved.client=0"];
const unmeasured = "benchmark.enabled=false";

interface KubeObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly generation: number };
}
const items = async (...selection: string[]): Promise<KubeObject[]> =>
  JSON.parse(await kubectl(["get", ...selection, "-o", "json"])).items;
const names = async (...selection: string[]) => (await items(...selection)).map(({ metadata }) => metadata.name).sort();
const pods = () => items("pods", "-A", "-l", "inference-stack/plan");

async function steps(...sets: string[]): Promise<Record<string, string[]>> {
  const { steps } = JSON.parse(await output("preview", ...seldon(...sets), "--json")) as {
    steps: { op: string; urn: string }[];
  };
  const changes: Record<string, string[]> = {};
  for (const { op, urn } of steps.filter(({ op }) => op !== "same" && op !== "read"))
    changes[op] = [...(changes[op] ?? []), urn.split("::").at(-2)!.split("$").at(-1)!];
  return changes;
}

describe("npm start with the engine seldon", () => {
  afterAll(() => cli("stop", "--purge"));

  it("ends in a measurement of servers that run on the CPUs of the plan", async () => {
    await succeed("start", ...seldon(...two));
    const { environment, correctness, errors, verdict } = await result();
    expect(environment.servers.map(({ cpusPlanned, cpusAllowed }) => [cpusPlanned, cpusAllowed]).sort()).toEqual([
      ["0", "0"],
      ["1", "1"],
    ]);
    expect(correctness.checked).toBeGreaterThan(50);
    expect([correctness.wrong, errors.total]).toEqual([0, 0]);
    expect(verdict.reasons).toEqual([]);
    expect(await names("deployments", "-n", "inference-dev")).toEqual([
      "server-node1-i0-0-triton",
      "server-node1-i1-0-triton",
    ]);
  });

  it("changes nothing the second time, and its operator is at rest", async () => {
    expect(await steps(...two)).toEqual({});
    const generations = async () =>
      (await items("deployments,seldondeployments", "-n", "inference-dev")).map(({ metadata }) => metadata.generation);
    const before = await generations();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect(await generations()).toEqual(before);
  });

  it("makes fewer instances an update of the SeldonDeployment, and measures only these", async () => {
    const changes = await steps();
    expect(changes.update).toContain("kubernetes:machinelearning.seldon.io/v1:SeldonDeployment");
    expect(Object.values(changes).flat().join()).not.toMatch(/StatefulSet|Service\b/);
    await succeed("start", ...seldon());
    const { environment } = await result();
    expect(environment.servers.map(({ cpusAllowed }) => cpusAllowed)).toEqual(["1"]);
    expect(await pods()).toHaveLength(1);
    // Nothing of the predictor that is gone stays.
    expect((await names("services", "-n", "inference-dev")).filter((name) => name.includes("-i1"))).toEqual([]);
  });

  it("never has two servers on the same CPUs while it changes them", async () => {
    const seen = new Set<number>();
    let done = false;
    const watching = (async () => {
      while (!done) seen.add((await pods()).length);
    })();
    await succeed("start", ...seldon(unmeasured, "server.memory=900Mi"));
    done = true;
    await watching;
    expect(Math.max(...seen)).toBe(1);
  });

  it("says why servers that crash do not come up, within the time given, and goes on when that is mended", async () => {
    const { code, output } = await cli("start", ...seldon(unmeasured, "server.memory=48Mi", "server.readySeconds=20"));
    expect(code).not.toBe(0);
    expect(output).toMatch(/'server-node1' timed out waiting to be Ready/);
    expect(output).toMatch(/pod inference-dev\/server-node1-i0-\S+, container triton: .*(OOMKilled|exit code)/);
    await succeed("start", ...seldon(unmeasured));
    expect(await pods()).toHaveLength(1);
  });

  it("says when the operator does not answer, and goes on when it does", async () => {
    const scale = (replicas: number) =>
      kubectl(["scale", "deployment", "seldon-operator", "-n", "seldon-system", `--replicas=${replicas}`]);
    await scale(0);
    await kubectl(["wait", "--for=delete", "pod", "-n", "seldon-system", "--all", "--timeout=60s"]);
    const { code, output } = await cli("start", ...seldon(unmeasured, "server.memory=800Mi"));
    expect(code).not.toBe(0);
    expect(output).toContain("failed calling webhook");
    await scale(1);
    await kubectl(["rollout", "status", "deployment", "seldon-operator", "-n", "seldon-system", "--timeout=60s"]);
    await succeed("start", ...seldon(unmeasured, "server.memory=800Mi"));
  });

  it("scales by the CPU the servers use, over metrics whose certificates are verified", async () => {
    const scaled = ["pinning=none", "autoscaling.enabled=true", "autoscaling.resourceLimiting=500m"];
    await succeed(
      "start",
      ...seldon(unmeasured, ...scaled, "metricsServer.enabled=true", "metricsServer.resolution=10"),
    );
    const [autoscaler] = (await items("horizontalpodautoscalers", "-n", "inference-dev")) as unknown as {
      status: { currentMetrics: { resource: { current: { averageUtilization: number } } }[] };
    }[];
    expect(autoscaler.status.currentMetrics[0].resource.current.averageUtilization).toBeGreaterThanOrEqual(0);
    expect(await kubectl(["top", "pods", "-n", "inference-dev"])).toContain("server-node1");
    // What the autoscaler decided is not taken back.
    await kubectl(["scale", "seldondeployment", "server-node1", "-n", "inference-dev", "--replicas=2"]);
    expect(await steps(unmeasured, ...scaled, "metricsServer.enabled=true", "metricsServer.resolution=10")).toEqual({});
  });

  it("leaves nothing behind when it is destroyed", async () => {
    await succeed("destroy");
    expect(await names("namespaces")).toEqual(["default", "kube-node-lease", "kube-public", "kube-system"]);
    const kinds =
      "customresourcedefinitions,validatingwebhookconfigurations,clusterroles,clusterrolebindings,apiservices";
    expect(await items(kinds, "-l", "app.kubernetes.io/part-of=inference-stack")).toEqual([]);
    expect(await items("all,secrets,rolebindings", "-A", "-l", "app.kubernetes.io/part-of=inference-stack")).toEqual(
      [],
    );
  });
});
