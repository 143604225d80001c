import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { checkConfig } from "../../stacks/config.ts";
import { costOf, gatewayWarnings } from "../../stacks/gateway.ts";
import { goodRun } from "../benchmarks/client/facts.ts";
import { Authority } from "../benchmarks/client/protocols/certificates.ts";
import { CONFIG_MAP, dev, JOB, measured, only, type Program, runProgram } from "./program.ts";

const connected = { kind: "kubeconfig", context: "c" };
const through = { ...dev.benchmark, path: "gateway" };
const run = (changes: object = {}) =>
  runProgram({ ...dev, gateway: { enabled: true }, benchmark: through, ...changes }, { result: measured });
const problems = (changes: object) => checkConfig({ ...dev, ...changes }).problems;
const gatewayProblems = (gateway: object, changes: object = {}) =>
  problems({ gateway: { enabled: true, ...gateway }, benchmark: through, ...changes });
const custom = (kind: string) => `kubernetes:networking.istio.io/v1:${kind}`;
const SECRET = "kubernetes:core/v1:Secret";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const specsOf = (program: Program) =>
  program.resources
    .filter(({ type, name }) => type === CONFIG_MAP && /^benchmark(-\w+)?-spec-/.test(name))
    .map(({ inputs }) => JSON.parse(inputs.data["spec.json"]));

describe("the gateway", () => {
  it("registers istiod, Envoy, and the way through them", async () => {
    const program = await run();
    const own = program.resources.filter(
      ({ name, type }) => /istio|gateway|^route/.test(`${name}${type}`) && !/Job|benchmark/.test(name),
    );
    const text = dump(own, { noRefs: true, lineWidth: -1 }).replace(/(istio-ingressgateway-)[0-9a-f]{12}/g, "$1HASH");
    await expect(text).toMatchFileSnapshot("__snapshots__/gateway.yaml");
  });

  it("is not there unless it is asked for", async () => {
    const program = await runProgram(dev, { result: measured });
    expect(program.resources.filter(({ name, type }) => /istio|gateway/i.test(name + type))).toEqual([]);
    expect(program.exports.ingress).toBeNull();
    expect(program.exports.path).toBe("service");
  });

  it("writes nothing into the cluster by itself, and reads no Secret but by istiod's own right", async () => {
    const { resources } = await run();
    const roles = resources.filter(({ type, name }) => /:(Cluster)?Role$/.test(type) && /istiod|gateway/.test(name));
    const verbs = roles.flatMap(({ inputs }) =>
      inputs.rules.flatMap(({ verbs, apiGroups }: { verbs: string[]; apiGroups: string[] }) =>
        apiGroups.some((group) => /^auth(entication|orization)\.k8s\.io$/.test(group)) ? [] : verbs,
      ),
    );
    expect(new Set(verbs)).toEqual(new Set(["get", "list", "watch"]));
    expect(JSON.stringify(roles)).not.toContain('"*"');
  });

  it("lets the load client dial it under its name, with its authority", async () => {
    const program = await run();
    const [spec] = specsOf(program);
    expect(spec.target).toMatchObject({
      host: "istio-ingressgateway.istio-ingress.svc.cluster.local",
      port: 443,
      authority: "inference.internal",
      tls: { caFile: "/trust/ca.crt", serverName: "inference.internal" },
    });
    expect(spec.servers.host).toBe("server.inference-dev.svc.cluster.local");
    expect(spec.about.path).toBe("gateway");
    const pod = only(program, JOB).inputs.spec.template.spec;
    expect(pod.volumes).toContainEqual({ name: "trust", secret: { secretName: "gateway-client", defaultMode: 0o440 } });
    expect(program.exports).toMatchObject({ path: "gateway", ingress: { host: "inference.internal", port: 443 } });
    expect(program.exports.ingress.ca).toContain("BEGIN CERTIFICATE");
  });

  it("measures both ways if that is asked for, one after the other, and says what it costs", async () => {
    const program = await run({ benchmark: { ...through, comparePaths: true } });
    const [first, second] = specsOf(program).map(({ target }) => target.host);
    expect([first, second].sort()).toEqual([
      "istio-ingressgateway.istio-ingress.svc.cluster.local",
      "server.inference-dev.svc.cluster.local",
    ]);
    expect(program.exports.gatewayCost).toMatchObject({ p50Ms: 0, throughputRatio: 1, valid: true });
  });

  it("asks clients for a certificate, and gives the load client one", async () => {
    const program = await run({ gateway: { enabled: true, mtls: { enabled: true } } });
    expect(only(program, custom("Gateway")).inputs.spec.servers[0].tls.mode).toBe("MUTUAL");
    expect(specsOf(program)[0].target.tls).toMatchObject({ certFile: "/trust/tls.crt", keyFile: "/trust/tls.key" });
    // With a key in it, all of it is a secret in the state.
    expect(only(program, SECRET, "gateway-client").inputs.stringData).toBe("[secret]");
  });

  it("shows the user's own certificate, whose key is a secret", async () => {
    const authority = new Authority();
    const { certFile, keyFile } = authority.issue("own", { name: "models.example.org" });
    const tls = { certificateFile: certFile, keyFile, caFile: authority.caFile };
    const program = await run({ gateway: { enabled: true, host: "models.example.org", tls } });
    const { metadata, stringData } = only(program, SECRET, "inference-dev-tls").inputs;
    expect([metadata.namespace, stringData]).toEqual(["istio-ingress", "[secret]"]);
    expect(program.resources.filter(({ name }) => name.includes("inference-dev-tls")).map(({ type }) => type)).toEqual([
      SECRET, // and no authority of our own
    ]);
    expect(program.exports.ingress.ca).toBe(authority.ca.toString());
  });

  it("comes from the official charts, or is there already, on a cluster of the user's", async () => {
    const chart = await run({ cluster: connected, gateway: { enabled: true, mode: "chart", serviceType: "NodePort" } });
    const releases = chart.resources.filter(({ type }) => type === "kubernetes:helm.sh/v3:Release");
    expect(releases.map(({ inputs: { chart, version, namespace } }) => [chart, version, namespace])).toEqual([
      ["base", "1.31.1", "istio-system"],
      ["gateway", "1.31.1", "istio-ingress"],
      ["istiod", "1.31.1", "istio-system"],
    ]);
    // The chart derives the label from the release's name, unless it is told.
    expect(releases[1]!.inputs).toMatchObject({
      name: "istio-ingressgateway",
      values: { labels: { istio: "ingressgateway" }, service: { type: "NodePort" } },
    });
    expect(chart.resources.filter(({ type }) => type === DEPLOYMENT)).toEqual([]);
    const installed = await run({
      cluster: connected,
      gateway: { enabled: true, mode: "installed", namespace: "edge" },
    });
    expect(installed.resources.filter(({ type }) => type === DEPLOYMENT || type.includes("Release"))).toEqual([]);
    expect(only(installed, custom("Gateway")).inputs.metadata.namespace).toBe("edge");
  });

  it("is what Seldon's operator attaches its routes to", async () => {
    const program = await run({ engine: "seldon" });
    const [{ env }] = only(program, DEPLOYMENT, "seldon-operator").inputs.spec.template.spec.containers;
    expect(env).toContainEqual({ name: "ISTIO_ENABLED", value: "true" });
    expect(env).toContainEqual({ name: "ISTIO_GATEWAY", value: "istio-ingress/inference-dev" });
    const { rules } = only(program, "kubernetes:rbac.authorization.k8s.io/v1:Role", "seldon-operator").inputs;
    expect(rules.flatMap(({ resources }: { resources: string[] }) => resources)).toContain("virtualservices");
    const routes = only(program, custom("VirtualService")).inputs.spec.http.map(({ name }: { name: string }) => name);
    expect(routes).toEqual(["grpc", "rest"]);
  });
});

describe("its config", () => {
  const authority = new Authority();
  const host = "models.example.org";
  const own = authority.issue("own", { name: host });
  const files = { certificateFile: own.certFile, keyFile: own.keyFile };

  it("is refused where it cannot be, with the way out", () => {
    expect(gatewayProblems({})).toEqual([]);
    expect(gatewayProblems({ mode: "chart" })).toEqual([
      expect.stringMatching(/^gateway\.mode: "chart" is not possible on the embedded cluster.*use manifests$/),
    ]);
    expect(problems({ benchmark: through })).toEqual([expect.stringMatching(/needs a gateway; set gateway\.enabled/)]);
    expect(problems({ benchmark: { comparePaths: true } })).toEqual([
      expect.stringMatching(/^benchmark\.comparePaths: true needs a gateway/),
    ]);
    expect(gatewayProblems({ namespace: "istio-system" })).toEqual([
      expect.stringMatching(/^gateway\.namespace: istio-system is somebody else's already/),
    ]);
    expect(gatewayProblems({ timeout: 5 })).toEqual([
      expect.stringMatching(/^benchmark\.timeout: 10 s is longer than gateway\.timeout.*at least 10$/),
    ]);
    expect(gatewayProblems({ host: "nodots" })).toEqual([expect.stringMatching(/^gateway\.host: "nodots"/)]);
  });

  it("finds a certificate that is wrong before anything is deployed", () => {
    expect(gatewayProblems({ host, tls: files })).toEqual([]);
    expect(gatewayProblems({ tls: files })).toEqual([
      `gateway.tls.certificateFile: ${own.certFile} is not for inference.internal, but for ${host}`,
    ]);
    expect(gatewayProblems({ host, tls: { certificateFile: own.certFile } })).toEqual([
      "gateway.tls.keyFile: is missing, and certificateFile is there; give both, or neither",
    ]);
    expect(gatewayProblems({ host, tls: { ...files, keyFile: "/nowhere.key" } })).toEqual([
      expect.stringMatching(/^gateway\.tls\.keyFile: \/nowhere\.key cannot be read \(ENOENT\)/),
    ]);
    const stranger = authority.issue("stranger", { name: host });
    expect(gatewayProblems({ host, tls: { ...files, keyFile: stranger.keyFile } })).toEqual([
      expect.stringMatching(/^gateway\.tls\.keyFile: .*stranger\.key is not the key of the certificate/),
    ]);
  });

  it("warns of a certificate that expires soon", () => {
    const { config } = checkConfig({ ...dev, gateway: { enabled: true, host, tls: files } });
    expect(gatewayWarnings(config!)).toEqual([
      "gateway.tls.certificateFile: it expires in 0 days; renew it and deploy again",
    ]);
    expect(gatewayWarnings(config!, new Date(Date.now() - 20 * 86_400_000))).toEqual([]);
  });

  it("asks for what mutual TLS needs", () => {
    const mtls = { enabled: true };
    expect(gatewayProblems({ mtls })).toEqual([]);
    expect(gatewayProblems({ host, tls: files, mtls })).toEqual([
      expect.stringMatching(/^gateway\.mtls\.caFile: is missing/),
    ]);
    expect(gatewayProblems({ mtls: { ...mtls, caFile: authority.caFile } })).toEqual([
      expect.stringMatching(/^gateway\.mtls\.certificateFile: is missing/),
    ]);
    expect(gatewayProblems({ mtls: { ...mtls, caFile: authority.caFile, ...files } })).toEqual([]);
  });
});

it("takes the cost of the gateway as what its way has more, whichever was measured first", () => {
  const result = (p50: number, rate: number) =>
    ({
      ...goodRun(),
      key: "k",
      latencyMs: { p50 },
      throughput: { inferencesPerSecond: rate },
      verdict: { valid: rate > 50, reasons: [], notes: [] },
    }) as unknown as Parameters<typeof costOf>[1];
  expect(costOf("gateway", result(12, 80), result(10, 100))).toMatchObject({
    p50Ms: 2,
    throughputRatio: 0.8,
    valid: true,
  });
  expect(costOf("service", result(10, 100), result(12, 80))).toMatchObject({ p50Ms: 2, throughputRatio: 0.8 });
  expect(costOf("service", result(10, 100), result(12, 50)).valid).toBe(false);
});
