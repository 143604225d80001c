import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../local/exec.ts";

// A cluster of its own: it is stopped, killed and booted in other shapes. The instance is read when the modules are loaded.
process.env.INFERENCE_STACK_INSTANCE += "-nodes";
const { kubectl, loadImages, readyNodes, startCluster, stopCluster } = await import("../../local/cluster/cluster.ts");
const { linkOf, networkOf } = await import("../../local/cluster/network.ts");
const { running } = await import("../../local/cluster/process.ts");
const { readTopology } = await import("../../local/cluster/topology.ts");
const { instance, state, stateDir } = await import("../../local/paths.ts");
const { stop } = await import("../../local/stop.ts");
const { ensure } = await import("../../local/toolchain/index.ts");
const { outerOf } = await import("./outer.ts");
type NodeShape = import("../../local/cluster/spec.ts").NodeShape;

const [a, b] = readTopology("this machine").numa.flat();
const two: NodeShape[] = [a, b].map((core) => ({ cpus: String(core), sharedCpus: null }));
const one: NodeShape[] = [{ cpus: null, sharedCpus: null }];

/** Answers with its node, the caller's address and the CPUs it may run on; and keeps a line for each start in its volume. */
const SERVER = `
const { readFileSync, appendFileSync, existsSync } = require("fs");
if (existsSync("/data")) appendFileSync("/data/starts", process.env.NODE + "\\n");
const cpus = () => /Cpus_allowed_list:\\s*(\\S+)/.exec(readFileSync("/proc/self/status", "utf8"))[1];
require("http").createServer((request, response) => {
  const starts = existsSync("/data") ? readFileSync("/data/starts", "utf8").trim().split("\\n") : [];
  response.end(JSON.stringify({ node: process.env.NODE, from: request.socket.remoteAddress.replace("::ffff:", ""), cpus: cpus(), starts }));
}).listen(8080)`;

interface Answer {
  readonly node: string;
  readonly from: string;
  readonly cpus: string;
  readonly starts: readonly string[];
}

/** A small server, as Kubernetes has it; `more` goes over its pod's spec. */
function template(app: string, image: string, more: object = {}, container: object = {}) {
  return {
    metadata: { labels: { app } },
    spec: {
      terminationGracePeriodSeconds: 1,
      securityContext: { fsGroup: 1000 },
      containers: [
        {
          name: "server",
          image,
          command: ["node", "-e", SERVER],
          env: [{ name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
          readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
          ...container,
        },
      ],
      ...more,
    },
  };
}

const workload = (kind: string, app: string, spec: object) => ({
  apiVersion: "apps/v1",
  kind,
  metadata: { name: app },
  spec: { selector: { matchLabels: { app } }, ...spec },
});
const service = (app: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: app },
  spec: { selector: { app }, ports: [{ port: 80, targetPort: 8080 }] },
});
const apply = (...objects: object[]) =>
  kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
const rollout = (what: string) => kubectl(["rollout", "status", what, "--timeout=180s"]);

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly podIP: string };
}
const pods = async (app: string) =>
  (JSON.parse(await kubectl(["get", "pods", "-l", `app=${app}`, "-o", "json"])) as { items: Pod[] }).items;

/** What a pod gets from an address, `times` times, each over a connection of its own. */
async function ask(pod: string, url: string, times = 1): Promise<Answer[]> {
  const program = `(async () => { for (let i = 0; i < ${times}; i++) {
    const options = { headers: { connection: "close" }, signal: AbortSignal.timeout(5000) };
    console.log(await fetch("${url}", options).then((r) => r.text(), (e) => JSON.stringify({ error: e.cause?.code ?? e.name })));
  } })()`;
  const lines = (await kubectl(["exec", pod, "--", "node", "-e", program])).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Answer);
}

/** What this instance has on the machine. */
async function leftovers() {
  const processes = readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(state.cluster);
      } catch {
        return false; // it has ended meanwhile
      }
    });
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  const links = JSON.parse(await run("ip", ["-json", "link"])) as { ifname: string }[];
  const groups = ["", "/cpuset", "/cpu", "/memory", "/unified"]
    .map((name) => `/sys/fs/cgroup${name}`)
    .filter(existsSync);
  return {
    processes,
    mounts: mounts.filter((line) => line.includes(state.cluster)),
    links: links.map(({ ifname }) => ifname).filter((name) => name === link),
    cgroups: groups.flatMap((path) => readdirSync(path)).filter((name) => name === `inference-stack-${instance}`),
    routes: (await run("ip", ["route"])).split("\n").filter((line) => line.includes(` dev ${link}`)),
  };
}
const nothing = { processes: [], mounts: [], links: [], cgroups: [], routes: [] };

let link: string;
let boot: (nodes: NodeShape[]) => Promise<string[]>;
let image: string;

describe.skipIf(b === undefined)("a cluster of two nodes on one machine", () => {
  beforeAll(async () => {
    const { bin, images } = await ensure(["kubernetes", "pause", "coredns", "node"]);
    image = images.node.ref;
    await stop(true);
    boot = async (nodes) => {
      const told: string[] = [];
      await startCluster(bin, images, (line) => told.push(line), nodes);
      await loadImages([images.node], (line) => told.push(line));
      return told;
    };
  });
  afterAll(async () => {
    await stop(true);
    expect(existsSync(stateDir)).toBe(false);
  });

  it("comes up with both nodes Ready, each offering its own core", async () => {
    const told = await boot(two);
    const { network } = JSON.parse(readFileSync(`${state.cluster}/cluster.json`, "utf8"));
    link = linkOf(networkOf(network.slot), 0).name;
    expect(await readyNodes()).toEqual(["node1", "node2"]);
    const capacity = await kubectl(["get", "nodes", "-o", "jsonpath={.items[*].status.capacity.cpu}"]);
    expect(capacity).toBe("1 1");
    expect(told.filter((line) => line.startsWith(`loaded image ${image}`))).toHaveLength(2);
    expect(await boot(two)).toEqual([]); // found up as it is to be
  });

  it("runs pods on the cores of their nodes, and they reach each other by address, name and service", async () => {
    await apply(service("web"), workload("DaemonSet", "web", { template: template("web", image) }));
    await rollout("daemonset/web");
    const found = await pods("web");
    expect(found.map(({ spec }) => spec.nodeName).sort()).toEqual(["node1", "node2"]);
    for (const from of found)
      for (const to of found) {
        const [answer] = await ask(from.metadata.name, `http://${to.status.podIP}:8080`);
        const cpus = String(to.spec.nodeName === "node1" ? a : b);
        expect(answer).toMatchObject({ node: to.spec.nodeName, cpus, from: from.status.podIP }); // no address translation
      }
    for (const { metadata } of found) {
      const nodes = (await ask(metadata.name, "http://web", 24)).map(({ node }) => node);
      expect([...new Set(nodes)].sort()).toEqual(["node1", "node2"]);
    }
  });

  it("lets this machine reach services, and pods nothing beyond it", async () => {
    const address = await kubectl(["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    const answer = (await (await fetch(`http://${address}`)).json()) as Answer;
    expect(["node1", "node2"]).toContain(answer.node);
    for (const { metadata } of await pods("web"))
      expect(await ask(metadata.name, "http://192.0.2.1")).toEqual([{ error: "ENETUNREACH" }]);
  });

  it("gives a pod its volume where it runs, and again after its node was killed and came back", async () => {
    const claim = {
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } },
    };
    const prefersSecond = {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 100,
              preference: { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["node2"] }] },
            },
          ],
        },
      },
    };
    const mounted = template("keep", image, prefersSecond, { volumeMounts: [{ name: "data", mountPath: "/data" }] });
    await apply(
      service("keep"),
      workload("StatefulSet", "keep", { serviceName: "keep", template: mounted, volumeClaimTemplates: [claim] }),
    );
    await rollout("statefulset/keep");
    expect(await startsOf("keep-0")).toEqual(["node2"]);

    process.kill(outerOf("node2"), "SIGKILL");
    await expect.poll(() => startsOf("keep-0").catch(() => []), { timeout: 180_000 }).toEqual(["node2", "node2"]);
    expect(await readyNodes()).toEqual(["node1", "node2"]);
  });

  it("becomes a cluster of one node after it was killed whole: pods and volumes move over", async () => {
    process.kill(running()!, "SIGKILL");
    await expect.poll(running).toBeUndefined();
    await boot(one);
    expect(await readyNodes()).toEqual(["node1"]);
    await rollout("statefulset/keep");
    expect(await startsOf("keep-0")).toEqual(["node2", "node2", "node1"]);
    expect((await pods("web")).map(({ spec }) => spec.nodeName)).toEqual(["node1"]);
  });

  it("gives a Guaranteed pod a core of its own under the static CPU manager, and the others the rest", async () => {
    const told = await boot([{ cpus: `${a},${b}`, sharedCpus: { quantity: "100m" } }]);
    expect(told[0]).toContain("is to be another");
    const quantities = { cpu: "1", memory: "128Mi" };
    const resources = { requests: quantities, limits: quantities };
    await apply(
      workload("StatefulSet", "own", { serviceName: "own", template: template("own", image, {}, { resources }) }),
    );
    await rollout("statefulset/own");
    expect(await cpusOf("own-0")).toBe(String(b));
    const [{ metadata }] = await pods("web");
    await expect.poll(() => cpusOf(metadata.name), { timeout: 60_000 }).toBe(String(a));
    await boot(one); // and without: the kubelet accepts its state of before
    await rollout("statefulset/own");
    expect(await cpusOf("own-0")).not.toBe(String(b));
  });

  it("becomes two nodes again", async () => {
    await kubectl(["delete", "statefulset", "own"]);
    await boot(two);
    await rollout("daemonset/web");
    // A rollout of before the second node joined is complete with one pod.
    const nodesOf = async () => (await pods("web")).map(({ spec }) => spec.nodeName).sort();
    await expect.poll(nodesOf, { timeout: 60_000 }).toEqual(["node1", "node2"]);
  });

  it("leaves nothing on the machine when it is stopped", async () => {
    expect((await leftovers()).processes.length).toBeGreaterThan(5);
    await stopCluster();
    // The kernel takes a network namespace down a moment after its last process.
    await expect.poll(leftovers, { timeout: 20_000 }).toEqual(nothing);
  });
});

const startsOf = async (pod: string) => (await ask(pod, "http://localhost:8080"))[0].starts;
const cpusOf = async (pod: string) => (await ask(pod, "http://localhost:8080"))[0].cpus;
