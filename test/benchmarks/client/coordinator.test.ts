import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { coordinate } from "../../../benchmarks/client/coordinator.ts";
import { Kubernetes } from "../../../benchmarks/client/kubernetes.ts";
import { changes, readServerThrottling, whatIsAmiss } from "../../../benchmarks/client/servers.ts";
import { defaultThresholds } from "../../../benchmarks/client/thresholds.ts";
import { parseResult } from "../../../benchmarks/result.ts";
import type { BenchmarkSpec, ServerSet, Thresholds } from "../../../benchmarks/spec.ts";
import { type FakeApi, type FakeCluster, fakeApi, pod } from "./apiServer.ts";
import { grpcServer, inputsFolder, type Knobs, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes start slowly on a busy machine

const running: (TestServer | FakeApi)[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));

const set: ServerSet = { namespace: "serving", selector: "app=server", planHash: "p1", count: 1, readySeconds: 0.3 };
const log = { "server-0": "pinning\nCpus_allowed_list:\t0\nready\n" };

/** A run of less than a second on a busy machine says nothing about speed. */
const lenient: Thresholds = {
  ...defaultThresholds,
  minRequests: 10,
  maxDrift: 100,
  maxSlipMs: 1e6,
  maxClientBusy: 100,
};

/** Starts a server and a fake cluster with it, and runs the Job's coordinator against them. */
async function run(cluster: Partial<FakeCluster>, change: Partial<BenchmarkSpec> = {}, knobs: Knobs = { delayMs: 1 }) {
  const server = await grpcServer(knobs);
  const api = await fakeApi({ pods: [pod("server-0", "127.0.0.1")], logs: log, ...cluster });
  running.push(server, api);
  const spec: BenchmarkSpec = {
    key: "experiment",
    target: { protocol: "v2-grpc", host: "server", port: server.port, model: "model", input: "data", output: "prob" },
    load: { mode: "closed", clients: 4, warmupSeconds: 0.2, durationSeconds: 0.6, seed: 1 },
    thresholds: lenient,
    servers: { ...set, cpus: { "server-0": "0" } },
    result: { namespace: "results", configMap: "result" },
    about: { image: "server@sha256:1" },
    ...change,
  };
  const said: string[] = [];
  const done = coordinate(spec, inputsFolder(), new Kubernetes(api.access, 5), {
    name: "client-0",
    host: "127.0.0.1",
    token: "secret",
    say: (text) => said.push(text),
    intervalMs: 20,
    resolve: async () => ["127.0.0.1"],
  });
  return { api, said, server, done };
}

/** Without the one reason that depends on how fast this machine is. */
const lasting = (reasons: readonly string[]) =>
  reasons.filter((reason) => !reason.endsWith("p99 needs 1000. Measure longer."));

test("sends its load to what stands before the servers, once the servers are the planned ones", async () => {
  const server = await grpcServer({ delayMs: 1 });
  const api = await fakeApi({ pods: [pod("server-0", "127.0.0.9")], logs: log });
  running.push(server, api);
  const spec: BenchmarkSpec = {
    key: "experiment",
    target: {
      protocol: "v2-grpc",
      host: "127.0.0.1",
      port: server.port,
      model: "model",
      input: "data",
      output: "prob",
    },
    load: { mode: "closed", clients: 2, warmupSeconds: 0, durationSeconds: 0.4, seed: 1 },
    thresholds: lenient,
    servers: { ...set, host: "server" },
    result: { namespace: "results", configMap: "result" },
    about: {},
  };
  const asked: string[] = [];
  const result = await coordinate(spec, inputsFolder(), new Kubernetes(api.access, 5), {
    name: "client-0",
    host: "127.0.0.1",
    say: () => {},
    intervalMs: 20,
    resolve: async (host) => {
      asked.push(host);
      return ["127.0.0.9"];
    },
  });
  expect(asked).toEqual(["server"]);
  expect(result.counts.answered).toBeGreaterThan(3);
  expect(result.servers.map(({ address }) => address)).toEqual([`127.0.0.1:${server.port}`]);
  expect(result.environment.servers.map(({ address }) => address)).toEqual(["127.0.0.9"]);
});

test("measures the planned servers and writes a valid result into the ConfigMap", async () => {
  const { api, said, done } = await run({});
  const result = await done;
  expect(lasting(result.verdict.reasons)).toEqual([]);
  expect(parseResult(api.data["result.json"]!)).toEqual(result);
  expect(result).toMatchObject({
    key: "experiment",
    plan: { hash: "p1", instances: 1, clientCpus: null },
    about: { image: "server@sha256:1" },
    environment: {
      servers: [
        {
          pod: "server-0",
          node: "node-0",
          address: "127.0.0.1",
          cpusPlanned: "0",
          cpusAllowed: "0",
          images: ["server@sha256:1"],
          throttledShare: null,
        },
      ],
    },
  });
  expect(result.correctness.wrong).toBe(0);
  expect(said.join("\n")).toContain("server-0 at 127.0.0.1 on CPUs 0");
  expect(said.at(-1)).toMatch(/throughput +\d+\.\d inferences\/s[\s\S]*verdict +(IN)?VALID/);
});

test("whatever was measured is a success: a bad run is an INVALID result", async () => {
  const { api, done } = await run(
    { logs: { "server-0": "Cpus_allowed_list: 0-3" } },
    {},
    { delayMs: 1, wrong: (n) => n % 5 === 0 },
  );
  await done;
  const { verdict } = parseResult(api.data["result.json"]!);
  expect(verdict.valid).toBe(false);
  expect(lasting(verdict.reasons)).toEqual([
    expect.stringMatching(/^\d+ of \d+ answers were wrong\.$/),
    "Pod server-0 may run on CPUs 0-3; planned were 0.",
  ]);
});

test("servers on other CPUs than the kubelet was to give them make the result INVALID", async () => {
  const placement = [{ node: "n", cpus: 2, numa: [{ cpus: "0-3", servers: 1 }] }];
  const on = { nodeSelector: { "kubernetes.io/hostname": "n" }, containers: [{ name: "server" }] };
  const cluster = { pods: [pod("server-0", "127.0.0.1", { spec: on })] };
  const asked = { servers: { ...set, placement } };
  const right = await (await run({ ...cluster, logs: { "server-0": "Cpus_allowed_list: 1-2" } }, asked)).done;
  expect(lasting(right.verdict.reasons)).toEqual([]);
  expect(right.environment.servers[0]).toMatchObject({ cpusPlanned: null, cpusAllowed: "1-2" });
  const wrong = await (await run(cluster, asked)).done;
  expect(wrong.verdict.valid).toBe(false);
  expect(lasting(wrong.verdict.reasons)).toEqual(["Pod server-0 may run on CPUs 0; planned were 2 of its own."]);
});

test("waits for the planned servers and says what it waits for, once for each change", async () => {
  const { said, done } = await run({ pods: [] }, { servers: { ...set, readySeconds: 20 } });
  const api = running.at(-1) as FakeApi;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(said).toEqual(["waiting for 1 server(s) of plan p1: 0 of 1 planned pods exist"]);
  expect(api.requests.length).toBeGreaterThan(2);
  done.catch(() => {});
});

test("goes on as soon as the planned servers are there alone", async () => {
  let looks = 0;
  const old = pod("server-1", "127.0.0.9", { metadata: { labels: { "inference-stack/plan": "p0" } } });
  const fresh = pod("server-0", "127.0.0.1");
  const slowly = { servers: { ...set, readySeconds: 20 } };
  const { said, done } = await run({ pods: () => (looks++ < 3 ? [fresh, old] : [fresh]) }, slowly);
  expect(lasting((await done).verdict.reasons)).toEqual([]);
  expect(said[0]).toBe("waiting for 1 server(s) of plan p1: pods of another plan are still there: server-1");
});

describe("nothing to measure is one sentence that says what was seen", () => {
  const cases: [string, Partial<FakeCluster>, RegExp][] = [
    [
      "no pods",
      { pods: [] },
      /after 0\.3 s the servers in namespace serving \(app=server\) are not the 1 planned ones: 0 of 1 planned pods exist\.$/,
    ],
    ["too many", { pods: [pod("a", "1"), pod("b", "2")] }, /2 of 1 planned pods exist/],
    [
      "not Ready",
      {
        pods: [
          pod("a", "1", {
            status: {
              phase: "Pending",
              conditions: [],
              containerStatuses: [{ imageID: "", restartCount: 0, state: { waiting: { reason: "ImagePullBackOff" } } }],
            },
          }),
        ],
      },
      /pods are not Ready: a \(ImagePullBackOff\)/,
    ],
    [
      "the name stands for others",
      { pods: [pod("a", "127.0.0.7")] },
      /the name server stands for \[127\.0\.0\.1\] and the pods have \[127\.0\.0\.7\]/,
    ],
    [
      "may not list pods",
      { forbidden: ["list pods"] },
      /could not list the pods of namespace serving: .*cannot list resource "pods"\. Its Role must allow it/,
    ],
    ["may not read logs", { forbidden: ["get pods/log"] }, /could not read the log of pod server-0 .*forbidden/],
    [
      "may not write the result",
      { forbidden: ["patch configmaps"] },
      /could not write ConfigMap result in namespace results: .*forbidden/,
    ],
    ["the API server is at fault for long", { faults: 100 }, /etcdserver: request timed out/],
  ];
  test.each(cases)("%s", async (_, cluster, message) => {
    const { done, api } = await run(cluster, {
      load: { mode: "closed", clients: 1, warmupSeconds: 0, durationSeconds: 0.1, seed: 1 },
    });
    await expect(done).rejects.toThrow(message);
    await expect(done).rejects.toMatchObject({ name: "UserError" });
    expect(api.data).toEqual({});
  });
});

test("servers that an autoscaler adds and removes are followed, and how it met the load is in the result", async () => {
  const began = performance.now();
  const phase = () => performance.now() - began;
  const one = pod("server-0", "127.0.0.1");
  const starting = pod("server-1", "127.0.0.1", { status: { conditions: [] } });
  const leaving = pod("server-1", "127.0.0.1", {
    metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", labels: { "inference-stack/plan": "p1" } },
  });
  const stages = [
    { rate: 20, durationSeconds: 1 },
    { rate: 60, durationSeconds: 2 },
    { rate: 20, durationSeconds: 2 },
  ];
  const { done, said } = await run(
    {
      pods: () => {
        if (phase() < 2000) return [one];
        if (phase() < 2500) return [one, starting];
        return phase() < 4200 ? [one, pod("server-1", "127.0.0.1")] : [one, leaving];
      },
    },
    {
      load: { mode: "open", arrivals: "constant", connections: 2, warmupSeconds: 0, seed: 1, stages },
      servers: { ...set, max: 2 },
      scaling: { slo: { p99Ms: 5000, windowSeconds: 0.2 }, coresPerServer: 0.5 },
    },
  );
  const { scaling, verdict, environment } = await done;
  expect(scaling).toMatchObject({
    min: 1,
    max: 2,
    stepAtSeconds: 1,
    recoverySeconds: 0,
    sloViolationSeconds: 0,
    flaps: 0,
  });
  expect(scaling!.timeline.map(({ wanted, ready }) => [wanted, ready])).toEqual([
    [1, 1],
    [2, 1],
    [2, 2],
    [1, 1],
  ]);
  expect(scaling!.decisionSeconds).toBeGreaterThan(0);
  expect(scaling!.reactionSeconds! - scaling!.decisionSeconds!).toBeGreaterThan(0.3);
  expect(scaling!.overProvisionedCoreSeconds).toBeGreaterThan(0.5); // one would have done all along
  expect(environment.servers.map((server) => server.pod).sort()).toEqual(["server-0", "server-1"]);
  expect(verdict.reasons.filter((reason) => /erver/.test(reason))).toEqual([]);
  expect(said).toContain("servers: 2 ready of 2");
});

test("fewer servers than the autoscaler may leave make the run INVALID, also for a moment", async () => {
  let looks = 0;
  const one = pod("server-0", "127.0.0.1");
  const { done } = await run(
    { pods: () => (++looks === 6 ? [] : [one]) },
    { servers: { ...set, max: 2 }, scaling: { slo: { p99Ms: 5000, windowSeconds: 0.2 }, coresPerServer: 1 } },
  );
  expect((await done).verdict.reasons).toContain("During the run only 0 of at least 1 servers were Ready.");
});

test("waits until servers added for an earlier load are gone, and takes them as they are if they stay", async () => {
  const both = [pod("server-0", "127.0.0.1"), pod("server-1", "127.0.0.1")];
  const { done, said } = await run(
    { pods: both },
    { servers: { ...set, max: 2 }, scaling: { slo: { p99Ms: 5000, windowSeconds: 0.2 }, coresPerServer: 1 } },
  );
  // The name stands for one address, and these pods have it twice.
  await expect(done).rejects.toThrow(/the pods have \[127\.0\.0\.1, 127\.0\.0\.1\]/);
  expect(said[0]).toMatch(/^waiting for 1 server/);
  expect(whatIsAmiss(both, { ...set, max: 2 })).toBeUndefined();
  expect(whatIsAmiss([...both, pod("server-2", "3")], { ...set, max: 2 })).toBe("3 of 1 to 2 planned pods exist");
});

test("short faults of the API server are tried again", async () => {
  const { done } = await run({ faults: 2 });
  expect(lasting((await done).verdict.reasons)).toEqual([]);
});

test("exactly the planned pods: which are amiss and which do not count", () => {
  const ready = pod("a", "1");
  expect(whatIsAmiss([ready], set)).toBeUndefined();
  expect(whatIsAmiss([ready, pod("evicted", "2", { status: { phase: "Failed" } })], set)).toBeUndefined();
  const leaving = pod("b", "2", {
    metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", labels: { "inference-stack/plan": "p1" } },
  });
  expect(whatIsAmiss([ready, leaving], set)).toBe("pods are being deleted: b");
  expect(whatIsAmiss([pod("c", "3", { metadata: { labels: {} } })], set)).toBe(
    "pods of another plan are still there: c; 0 of 1 planned pods exist",
  );
});

test("servers that did not stay the same are reasons", () => {
  const before = [pod("a", "1")];
  expect(changes(before, [pod("a", "1")], set)).toEqual([]);
  const restarted = pod("a", "1", { status: { containerStatuses: [{ imageID: "", restartCount: 1 }] } });
  expect(changes(before, [restarted], set)).toEqual(["Pod a was restarted during the run."]);
  const replaced = pod("a", "1", { metadata: { uid: "another", labels: { "inference-stack/plan": "p1" } } });
  expect(changes(before, [replaced], set)).toEqual(["Pod a was replaced during the run."]);
  expect(changes(before, [], set)).toHaveLength(2);
});

test("reads from the logs how often a CPU quota stopped the servers while they were measured", async () => {
  let periods = 1000;
  const stat = () => {
    periods += 100;
    return `ready\ncpu.stat nr_periods 7 nr_throttled 0\ncpu.stat nr_periods ${periods} nr_throttled ${periods / 2}\nother\n`;
  };
  const limited = pod("server-0", "127.0.0.1", {
    spec: { containers: [{ name: "server", resources: { limits: { cpu: "1" } } }] },
  });
  const { done } = await run({ pods: [limited], logs: { "server-0": () => `${log["server-0"]}${stat()}` } });
  const { environment, verdict } = await done;
  expect(environment.servers[0]!.throttledShare).toBe(0.5);
  expect(verdict.reasons.join("\n")).toMatch(/throttled server server-0 in 50 %/);
});

test("says nothing of throttling where a log cannot be read, as of a node that is lost", async () => {
  const limited = pod("server-0", "127.0.0.1", {
    spec: { containers: [{ name: "server", resources: { limits: { cpu: "1" } } }] },
  });
  const api = await fakeApi({ pods: [limited], forbidden: ["get pods/log"] });
  running.push(api);
  expect(await readServerThrottling(new Kubernetes(api.access, 1), set, [limited])).toEqual(new Map());
});

test("asks for no log of a server without a CPU limit", async () => {
  const api = await fakeApi({ pods: [], logs: { "server-0": "cpu.stat nr_periods 1 nr_throttled 0" } });
  running.push(api);
  expect(await readServerThrottling(new Kubernetes(api.access, 1), set, [pod("server-0", "127.0.0.1")])).toEqual(
    new Map(),
  );
  expect(api.requests).toEqual([]);
});

test("speaks TLS to the API server and trusts its own authority only", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=api", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject],
    {
      stdio: "ignore",
    },
  );
  const api = await fakeApi(
    { pods: [pod("a", "1")] },
    { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") },
  );
  running.push(api);
  expect(await new Kubernetes(api.access, 1).listPods("serving", "app=server")).toHaveLength(1);
  const distrustful = new Kubernetes({ ...api.access, ca: undefined }, 1);
  await expect(distrustful.listPods("serving", "app=server")).rejects.toThrow(
    /API server cannot be reached: self-signed certificate/,
  );
});

test("the Job's entry ends with one sentence and exit code 1 when it cannot even begin", () => {
  const job = (...args: string[]) => {
    const env = { ...process.env, KUBERNETES_SERVICE_HOST: "" };
    const { status, stderr } = spawnSync(process.execPath, ["benchmarks/client/job.ts", ...args], {
      encoding: "utf8",
      env,
    });
    return { status, stderr };
  };
  expect(job()).toEqual({ status: 1, stderr: "Usage: node client.cjs [worker] SPEC.json INPUTS-FOLDER\n" });
  expect(job("/nowhere.json", "/inputs").stderr).toMatch(
    /^Cannot read the experiment from \/nowhere\.json: ENOENT.*\n$/,
  );
  const spec = join(mkdtempSync(join(tmpdir(), "spec-")), "spec.json");
  execFileSync("sh", ["-c", `echo '{}' > ${spec}`]);
  expect(job(spec, "/inputs")).toEqual({
    status: 1,
    stderr: "This is not a pod: KUBERNETES_SERVICE_HOST and _PORT are not set.\n",
  });
});
