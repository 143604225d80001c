import { request } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";
import type { GatewayCost } from "../../stacks/gateway.ts";
import { cli, configs, output, result, succeed } from "./cli.ts";

/** Istio's gateway in front of the servers, in the order a user lives it; each step starts from what the one before left. */
const gateway = (...sets: string[]) =>
  configs([
    "gateway.enabled=true",
    "benchmark.path=gateway",
    "benchmark.warmup=1",
    "benchmark.duration=15",
    "benchmark.thresholds.maxDrift=1", // Envoy, the server and the client share two cores with whatever else runs
    ...sets,
  ]);
const unmeasured = "benchmark.enabled=false";
const HOST = "inference.internal";
const SYSTEM = ["default", "kube-node-lease", "kube-public", "kube-system"];

const outputs = async () => JSON.parse(await output("outputs"));
const names = async (...selection: string[]): Promise<string[]> =>
  JSON.parse(await kubectl(["get", ...selection, "-o", "json"]))
    .items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
    .sort();

async function secret(namespace: string, name: string): Promise<{ data: Record<string, string> }> {
  const { data } = JSON.parse(await kubectl(["get", "secret", name, "-n", namespace, "-o", "json"]));
  const text = ([key, value]: [string, unknown]) => [key, Buffer.from(String(value), "base64").toString()];
  return { data: Object.fromEntries(Object.entries(data).map(text)) };
}

/** Address of an Envoy that is ready. */
async function envoy(): Promise<string> {
  const { items } = JSON.parse(await kubectl(["get", "pods", "-n", "istio-ingress", "-o", "json"]));
  const ready = items.find((pod: { metadata: object; status: { conditions: { type: string; status: string }[] } }) =>
    pod.status.conditions.some(({ type, status }) => type === "Ready" && status === "True"),
  );
  return ready.status.podIP;
}

interface Asking {
  readonly ca?: string;
  readonly host?: string;
  readonly headers?: Record<string, string>;
  readonly cert?: string;
  readonly key?: string;
}

/** The status of an answer, or why there is none. */
async function get(path: string, { host = HOST, headers, ...tls }: Asking = {}): Promise<number | string> {
  const ca = tls.ca ?? (await outputs()).ingress.ca;
  const address = await envoy();
  return new Promise((resolve) => {
    const asked = request(
      { host: address, port: 8443, path, servername: host, headers: { host, ...headers }, ...tls, ca, agent: false },
      (response) => {
        response.resume().once("end", () => resolve(response.statusCode!));
      },
    );
    asked.once("error", ({ message }) => resolve(message)).end();
  });
}

/** Fingerprint of the certificate that is served. */
async function served(): Promise<string> {
  const host = await envoy();
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ host, port: 8443, servername: HOST, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

/** What comes after a while, since Envoy hears of changes a moment later. */
async function eventually<T>(look: () => Promise<T>, wanted: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const seen = await look();
    if (wanted(seen) || Date.now() > deadline) return seen;
    await new Promise((next) => setTimeout(next, 200));
  }
}

describe("npm start with a gateway", () => {
  afterAll(() => cli("stop", "--purge"));

  it("measures over TLS through it, and past it, and says what it costs", async () => {
    const printed = await succeed("start", ...gateway("benchmark.comparePaths=true"));
    const { target, errors, correctness, environment, verdict } = await result();
    expect(target).toMatchObject({ protocol: "v2-grpc", authority: HOST, tls: { serverName: HOST } });
    expect(correctness.checked).toBeGreaterThan(50);
    expect([correctness.wrong, errors.total]).toEqual([0, 0]);
    expect(environment.servers).toHaveLength(1);
    // A machine that is busy with other things answers too few requests for a percentile; nothing else may be wrong.
    expect(verdict.reasons.filter((reason) => !reason.endsWith("Measure longer."))).toEqual([]);
    const { path, gatewayCost } = (await outputs()) as { path: string; gatewayCost: GatewayCost };
    expect(path).toBe("gateway");
    expect(gatewayCost.throughputRatio).toBeGreaterThan(0);
    expect(gatewayCost.measured.gateway.key).not.toBe(gatewayCost.measured.service.key);
    expect(printed).toMatch(/gateway {2,}p50 .* ms, \d\.\d+ of the throughput/);
  });

  it("answers REST by its name and by Seldon's path, and to nobody else", async () => {
    expect(await get("/v2/models/lite0/ready")).toBe(200);
    expect(await get("/seldon/inference-dev/server/v2/models/lite0/ready")).toBe(200);
    expect(await get("/seldon/inference-dev/other/v2/models/lite0/ready")).toBe(404);
    expect(await get("/v2/repository/index")).toBe(404);
    expect(await get("/v2/models/lite0/ready", { host: "other.internal" })).toMatch(/hang up|ECONNRESET|disconnected/);
    const { data } = await secret("istio-system", "istiod-xds");
    expect(await get("/v2/models/lite0/ready", { ca: data["ca.crt"] })).toMatch(/certificate/); // another authority's
  });

  it("has an istiod that is content with its rights, and whose word Envoy takes", async () => {
    const log = await kubectl(["logs", "-n", "istio-system", "deployment/istiod"]);
    expect(log.split("\n").filter((line) => /forbidden|ACK ERROR|not authorized/.test(line))).toEqual([]);
    // It has written nothing.
    expect(await names("configmaps", "-n", "inference-dev")).not.toContain("istio-ca-root-cert");
  });

  it("serves a new certificate when its secret is replaced, without measuring again", async () => {
    const [before, { benchmark }] = [await served(), await outputs()];
    await succeed("pulumi", "up", "--yes", "--replace", "**RandomPassword::inference-dev-tls");
    expect(await eventually(served, (now) => now !== before)).not.toBe(before);
    expect(await get("/v2/models/lite0/ready")).toBe(200);
    expect((await outputs()).benchmark.startedAt).toBe(benchmark.startedAt);
  });

  it("says what is wrong with a certificate before anything changes", async () => {
    const { code, output } = await cli("start", ...gateway("gateway.tls.certificateFile=/nowhere.crt"));
    expect(code).not.toBe(0);
    expect(output).toContain("gateway.tls.keyFile: is missing");
    expect(await get("/v2/models/lite0/ready")).toBe(200);
  });

  it("asks clients for a certificate where that is wanted, and measures with one", async () => {
    const mtls = ["gateway.mtls.enabled=true", "benchmark.duration=5", "benchmark.protocol=v2-rest-binary"];
    await succeed("start", ...gateway(...mtls));
    const { errors, counts } = await result();
    expect(counts.answered).toBeGreaterThan(20);
    expect(errors.total).toBe(0);
    expect(await get("/v2/models/lite0/ready")).toMatch(/certificate required|ECONNRESET|hang up/);
    const { data } = await secret("inference-dev", "gateway-client");
    expect(await get("/v2/models/lite0/ready", { cert: data["tls.crt"], key: data["tls.key"] })).toBe(200);
  });

  it("says in bounded time that Envoy hears nothing from istiod, goes on serving, and mends itself", async () => {
    const scale = (replicas: number) =>
      kubectl(["scale", "deployment", "istiod", "-n", "istio-system", `--replicas=${replicas}`]);
    const few = [unmeasured, "gateway.readySeconds=45"];
    await succeed("start", ...gateway(...few));
    await scale(0);
    await kubectl(["wait", "--for=delete", "pod", "-n", "istio-system", "--all", "--timeout=60s"]);
    const change = [...few, "gateway.maxConnections=5000"];
    const started = Date.now();
    const { code, output } = await cli("start", ...gateway(...change));
    expect(code).not.toBe(0);
    expect(Date.now() - started).toBeLessThan(120_000);
    expect(output).toMatch(/istio-ingressgateway/);
    expect(output).toMatch(/pod istio-ingress\/istio-ingressgateway-\S+, container envoy: [\s\S]*xds-grpc/);
    expect(await get("/v2/models/lite0/ready")).toBe(200); // the Envoy that was there
    await scale(1);
    await succeed("start", ...gateway(...change));
    expect(await get("/v2/models/lite0/ready")).toBe(200);
  });

  it("carries the routes that Seldon's operator makes", async () => {
    await succeed("start", ...gateway(unmeasured, "engine=seldon", "server.readySeconds=120"));
    expect(await names("virtualservices", "-n", "inference-dev")).toEqual(
      expect.arrayContaining(["route", expect.stringMatching(/^server-node1/)]),
    );
    const ask = () => get("/seldon/inference-dev/server-node1/v2/models/lite0/ready");
    expect(await eventually(ask, (status) => status === 200)).toBe(200);
    expect(await get("/v2/models/lite0/ready")).toBe(200);
  });

  it("leaves nothing behind when it is destroyed", async () => {
    await succeed("destroy");
    expect(await names("namespaces")).toEqual(SYSTEM);
    const kinds = "customresourcedefinitions,clusterroles,clusterrolebindings,validatingwebhookconfigurations";
    expect(await names(kinds, "-l", "app.kubernetes.io/part-of=inference-stack")).toEqual([]);
  });
});
