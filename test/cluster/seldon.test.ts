import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { afterAll, describe, expect, it } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";
import { cli, configs, judged, output, result, succeed } from "./cli.ts";

/** The engine seldon with its real operator, in the order a user lives it; each step starts from what the one before left. */
const seldon = (...sets: string[]) => configs(["engine=seldon", ...judged, "server.readySeconds=120", ...sets]);
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

  it("takes the graph of a transformer as it was reviewed, and none with a unit that nothing does", async () => {
    const file = join(import.meta.dirname, "..", "stacks", "__snapshots__", "seldon-transformer.yaml");
    const { inputs } = load(readFileSync(file, "utf8")) as { inputs: { spec: { predictors: { graph: object }[] } } };
    const tried = (object: object) => kubectl(["apply", "--dry-run=server", "-f", "-"], JSON.stringify(object));
    await tried(inputs);
    Object.assign(inputs.spec.predictors[0].graph, { name: "nobody" });
    await expect(tried(inputs)).rejects.toThrow("Can't find container for Predictive Unit");
  });

  it("makes fewer instances an update of the SeldonDeployment alone, and measures only these", async () => {
    const experiment = ["batch/v1:Job", "core/v1:ConfigMap", "core/v1:ConfigMap"].map((kind) => `kubernetes:${kind}`);
    const changes = await steps();
    // The role names the result that the benchmark may write.
    expect(changes.update.sort()).toEqual([
      "kubernetes:machinelearning.seldon.io/v1:SeldonDeployment",
      "kubernetes:rbac.authorization.k8s.io/v1:Role",
    ]);
    expect(changes.create.sort()).toEqual(experiment);
    expect(changes.delete.sort()).toEqual(experiment);
    await succeed("start", ...seldon());
    const { environment, verdict } = await result();
    expect(verdict.reasons).toEqual([]);
    expect(environment.servers.map(({ cpusAllowed }) => cpusAllowed)).toEqual(["1"]);
    expect(await pods()).toHaveLength(1);
    // Nothing of the predictor that is gone stays.
    expect((await names("services", "-n", "inference-dev")).filter((name) => name.includes("-i1"))).toEqual([]);
  });

  it("says why servers that crash do not come up, within the time given", async () => {
    const { code, output } = await cli("start", ...seldon(unmeasured, "server.memory=48Mi", "server.readySeconds=30"));
    expect(code).not.toBe(0);
    expect(output).toMatch(/'server-node1' timed out waiting to be Ready/);
    expect(output).toMatch(/pod inference-dev\/server-node1-i0-\S+, container triton: .*(OOMKilled|exit code)/);
  });

  it("goes on when that is mended, and never has two servers on the same CPUs meanwhile", async () => {
    const seen = new Set<number>();
    let done = false;
    const watching = (async () => {
      while (!done) {
        seen.add((await pods()).length);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    await succeed("start", ...seldon(unmeasured)).finally(() => {
      done = true;
    });
    await watching;
    expect(Math.max(...seen)).toBe(1);
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
