import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { behaviour, rounds } from "./conformance/behaviour.ts";
import { environment } from "./conformance/environment.ts";
import { Project } from "./conformance/project.ts";

/** A kubeconfig that leads nowhere. */
const deadEnd = JSON.stringify({
  clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "u", user: {} }],
  contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  "current-context": "x",
});

/** The embedded Kubernetes provider under the real engine on a real cluster, against what the official one does. */
describe("a stack of every kind", () => {
  let project: Project;
  beforeAll(async () => {
    project = await Project.open("program", await environment());
  });
  afterAll(() => project?.close());

  it.each(["no kubeconfig", "nobody at its address"])("is previewed without a cluster: %s", async (what) => {
    const kubeconfig = join(project.folder, "dead-end");
    if (what !== "no kubeconfig") writeFileSync(kubeconfig, deadEnd);
    const steps = await project.preview({ KUBECONFIG: kubeconfig });
    expect(Object.keys(steps)).toHaveLength(16); // 15 and the stack itself
    expect(new Set(Object.values(steps).flat())).toEqual(new Set(["create"]));
  });

  it("is not created without a cluster, and says why", async () => {
    const { code, output } = await project.pulumi(["up", "--yes", "--skip-preview"], {
      KUBECONFIG: join(project.folder, "dead-end"),
    });
    expect(code).not.toBe(0);
    expect(output).toContain("configured Kubernetes cluster is unreachable: https://127.0.0.1:1: connect ECONNREFUSED");
  });

  it("is created: names, managers and inputs are kept in the state", async () => {
    const output = await project.succeed(["up", "--yes", "--skip-preview"]);
    expect(output).toContain("15 created");
    for (const line of [
      "[1/3] Finding Pods to direct traffic to",
      "Service initialization complete",
      "(0/2 Pods available)",
      "to succeed (Active: ",
    ])
      expect(output).toContain(line);

    const web = await project.resource("Deployment::web");
    const namespace = await project.resource("Namespace::bench");
    expect(namespace.id).toMatch(/^bench-[0-9a-f]{8}$/);
    expect(web.id).toMatch(new RegExp(`^${namespace.id}/web-[0-9a-f]{8}$`));
    expect(web.inputs.metadata.annotations["pulumi.com/autonamed"]).toBe("true");
    expect(web.outputs.__initialApiVersion).toBe("apps/v1");
    expect(web.outputs.__fieldManager).toMatch(/^pulumi-kubernetes-[0-9a-f]{8}$/);
    expect(web.outputs.__inputs).toEqual(web.inputs);
    expect(web.outputs.status.readyReplicas).toBe(2);
    const owners = web.outputs.metadata.managedFields.map(
      (m: { manager: string; operation: string }) => `${m.manager} ${m.operation}`,
    );
    expect(owners).toContain("pulumi-kubernetes Update");
    expect((await project.resource("ConfigMap::named")).id).toBe(`${namespace.id}/named`);
  });

  it("keeps secrets secret in the state", async () => {
    const closed = JSON.stringify(await project.state());
    const encoded = Buffer.from("open-sesame").toString("base64");
    expect(closed).not.toContain("open-sesame");
    expect(closed).not.toContain(encoded);
    expect((await project.resource("Secret::secret", ["--show-secrets"])).outputs.data.plaintext).toContain(encoded);
  });

  it("is unchanged without changes", async () => {
    expect(await project.preview()).toEqual({});
  });

  it.each(rounds(behaviour).map((round) => [round.map(({ change }) => change).join(", "), round] as const))(
    "%s",
    async (changes, round) => {
      const steps = await project.preview({ CHANGES: changes.replaceAll(", ", ",") });
      const expected = Object.fromEntries(round.map(({ resource, steps }) => [resource, steps]));
      expect(steps).toEqual(expected);
    },
  );

  it("fails the preview of another port under the same name, as officially", async () => {
    const { code, output } = await project.pulumi(["preview"], { CHANGES: "service port" });
    expect(code).not.toBe(0);
    expect(output).toMatch(/Service "web-[0-9a-f]{8}" is invalid: spec.ports\[1\].name: Duplicate value/);
  });

  it("is updated and replaced for real, the first update taking the created fields over", async () => {
    const before = await project.resource("ConfigMap::auto");
    const changes = { CHANGES: "deployment replicas,deployment env,configmap data,fixed configmap data,service type" };
    await project.succeed(["up", "--yes", "--skip-preview"], changes);
    const web = await project.resource("Deployment::web");
    expect(web.outputs.status).toMatchObject({ updatedReplicas: 1 });
    const owners = web.outputs.metadata.managedFields.map(
      (m: { manager: string; operation: string }) => `${m.manager} ${m.operation}`,
    );
    expect(owners).toContain(`${web.outputs.__fieldManager} Apply`);
    expect(owners).not.toContain("pulumi-kubernetes Update");
    expect((await project.resource("ConfigMap::auto")).id).not.toBe(before.id);
    expect(await project.preview(changes)).toEqual({});
    await project.succeed(["up", "--yes", "--skip-preview"]);
    const env = (await project.resource("Deployment::web")).outputs.spec.template.spec.containers[0].env;
    expect(env ?? []).toEqual([]);
  });

  it("does not see drift without a refresh, and mends it with one", async () => {
    const { id } = await project.resource("Deployment::web");
    const [namespace, name] = id!.split("/");
    await project.kubectl("scale", "deployment", name!, "-n", namespace!, "--replicas=1");
    await project.kubectl("rollout", "status", "deployment", name!, "-n", namespace!);
    expect(await project.preview()).toEqual({});
    expect((await project.preview({}, "--refresh"))["Deployment::web"]).toContain("update");
    expect(await project.succeed(["up", "--yes", "--skip-preview", "--refresh"])).toContain("1 updated");
    expect(await project.kubectl("get", "deployment", name!, "-n", namespace!, "-o", "jsonpath={.spec.replicas}")).toBe(
      "2",
    );
  });

  it("does not miss what was deleted by hand without a refresh, and makes it again with one", async () => {
    const { id } = await project.resource("ConfigMap::named");
    await project.kubectl("delete", "configmap", "named", "-n", id!.split("/")[0]!);
    expect(await project.preview()).toEqual({});
    expect((await project.preview({}, "--refresh"))["ConfigMap::named"]).toContain("create");
    await project.succeed(["up", "--yes", "--skip-preview", "--refresh"]);
    expect(await project.preview({}, "--refresh")).toSatisfy((steps: Record<string, string[]>) =>
      Object.values(steps)
        .flat()
        .every((op) => op === "refresh"),
    );
  });

  it("cannot be previewed with a refresh when its cluster is gone", async () => {
    const { code, output } = await project.pulumi(["preview", "--refresh"], { KUBECONFIG: "/nowhere/kubeconfig" });
    expect(code).not.toBe(0);
    expect(output).toContain("there is no kubeconfig at /nowhere/kubeconfig");
    expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m);
  });

  it("is destroyed to the last object", async () => {
    const { id } = await project.resource("Namespace::bench");
    const output = await project.succeed(["destroy", "--yes", "--skip-preview"]);
    expect(output).toContain("Resource scheduled for deletion");
    expect(await project.kubectl("get", "namespace", id!, "--ignore-not-found")).toBe("");
    expect(await project.state()).toEqual([]);
  });
});

describe("what others have made", () => {
  const namespace = "conformance-others";
  let project: Project;
  beforeAll(async () => {
    project = await Project.open("importing", await environment());
    await project.kubectl("create", "namespace", namespace);
    for (const name of ["found", "read", "third"])
      await project.kubectl("create", "configmap", name, "-n", namespace, "--from-literal=a=1");
  });
  afterAll(async () => {
    await project?.close();
    await project?.kubectl("delete", "namespace", namespace, "--ignore-not-found");
  });

  it("is imported and read", async () => {
    const output = await project.succeed(["up", "--yes", "--skip-preview"], { NAMESPACE: namespace });
    expect(output).toContain("1 imported");
    expect(JSON.parse(await project.succeed(["stack", "output", "--json"]))).toEqual({ read: { a: "1" } });
    expect(await project.preview({ NAMESPACE: namespace })).toEqual({ "ConfigMap::read": ["read"] });
    await project.succeed(
      ["import", "kubernetes:core/v1:ConfigMap", "third", `${namespace}/third`, "--yes", "--generate-code=false"],
      { NAMESPACE: namespace },
    );
    expect((await project.resource("ConfigMap::third")).inputs).toMatchObject({
      apiVersion: "v1",
      kind: "ConfigMap",
      data: { a: "1" },
    });
  });

  it("is said to be missing where it is", async () => {
    const { code, output } = await project.pulumi(["preview"], { NAMESPACE: "none-such" });
    expect(code).not.toBe(0);
    expect(output).toContain("none-such/read");
  });
});

describe("what does not become ready", () => {
  let project: Project;
  beforeAll(async () => {
    project = await Project.open("failing", await environment());
  });
  afterAll(() => project?.close());

  it("a Job that fails is kept in the state with the reasons", async () => {
    const { code, output } = await project.pulumi(["up", "--yes", "--skip-preview"], { WHAT: "job" });
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /resource "urn:[^"]+::bad" was successfully created, but the Kubernetes API server reported that it failed to fully initialize or become live: Resource 'bad-[0-9a-f]{8}' was created but failed to initialize/,
    );
    expect(output).toMatch(
      /\[Pod bad-[0-9a-f]{8}\/bad-[^\]]+\]: (containers with unready status: \[c\])?container "c" completed with exit code 3/,
    );
    expect(output).toContain("[BackoffLimitExceeded] Job has reached the specified backoff limit");
    const job = await project.resource("Job::bad");
    expect(job.id).toMatch(/^bad-[0-9a-f]{8}\/bad-[0-9a-f]{8}$/);
    expect(job.initErrors).toContain("[BackoffLimitExceeded] Job has reached the specified backoff limit");
  });

  it("a Pod without its image ends in the time given", async () => {
    const started = performance.now();
    const { code, output } = await project.pulumi(["up", "--yes", "--skip-preview"], { WHAT: "image" });
    expect(code).not.toBe(0);
    expect(output).toContain("timed out waiting to be Ready");
    expect(output).toMatch(/containers with unready status: \[c\]\[(ImagePullBackOff|ErrImagePull)\]/);
    expect(performance.now() - started).toBeLessThan(60_000);
  });

  it("a Ctrl-C ends the waiting and keeps what was created", async () => {
    const started = performance.now();
    const { code, output } = await project.pulumi(
      ["up", "--yes", "--skip-preview"],
      { WHAT: "service" },
      "Finding Pods to direct traffic to",
    );
    expect(code).not.toBe(0);
    expect(output).toContain("Resource operation was cancelled for");
    expect(performance.now() - started).toBeLessThan(60_000);
    expect((await project.resource("Service::bad")).id).toMatch(/\/bad-[0-9a-f]{8}$/);
  });

  it("an object that exists already is not taken over", async () => {
    const { code, output } = await project.pulumi(["up", "--yes", "--skip-preview"], { WHAT: "existing" });
    expect(code).not.toBe(0);
    expect(output).toContain('configmaps "same" already exists');
    expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m);
  });

  it("leaves no plugin running", async () => {
    await project.succeed(["destroy", "--yes", "--skip-preview"]);
    expect(existsSync(project.folder)).toBe(true);
    expect(await processesOf(project.folder)).toEqual([]);
  });
});

/** Command lines of processes that were started with the project's environment. */
async function processesOf(folder: string): Promise<string[]> {
  const { readdirSync, readFileSync } = await import("node:fs");
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/environ`, "utf8").includes(`PULUMI_HOME=${folder}`);
        return isOurs ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")] : [];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}
