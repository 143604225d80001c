import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkConfig, readConfig } from "../../stacks/config.ts";
import { dev, presetConfig } from "./program.ts";

const problems = (changes: Record<string, unknown>) => checkConfig({ ...dev, ...changes }).problems;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const model = (manifest: unknown) => {
  const source = mkdtempSync(join(folder, "model-"));
  writeFileSync(join(source, "manifest.json"), typeof manifest === "string" ? manifest : JSON.stringify(manifest));
  return source;
};
const manifest = { name: "lite0", version: "abc", files: [{ path: "repository/a", sha256: "0".repeat(64), bytes: 1 }] };

describe("a config without mistakes", () => {
  it("gets every default", () => {
    const { config, problems } = checkConfig(dev);
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      pinning: "numactl",
      engine: "kubernetes",
      reserved: { system: 0, client: 1 },
      server: { kind: "triton", memory: "1Gi", readySeconds: 300 },
      objectStore: { backend: "minio", size: "10Gi", protect: false },
      benchmark: { enabled: true, protocol: "v2-grpc", clients: 3, seed: 1, rerun: 0, thresholds: { maxErrorRate: 0 } },
    });
  });

  it("protects the models' store unless it says otherwise", () => {
    const { objectStore: _, ...silent } = dev;
    expect(checkConfig(silent).config?.objectStore.protect).toBe(true);
  });

  it.each(["low-latency", "high-throughput", "production"])("is in Pulumi.%s.yaml", (stack) => {
    expect(checkConfig(presetConfig(stack)).problems).toEqual([]);
  });

  it("takes the model's version from the folder", () => {
    const { config } = checkConfig({ ...dev, model: { name: "lite0", source: model(manifest) } });
    expect(config?.model.version).toBe("abc");
  });

  it("is not changed itself", () => {
    const raw = structuredClone(dev);
    checkConfig(raw);
    expect(raw).toEqual(dev);
  });
});

describe("a mistake", () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      "an unknown key",
      { instanses: 2 },
      /^instanses: there is no such key; did you mean instances\? allowed keys: instances, cpus, /,
    ],
    ["an unknown key unlike any other", { colour: 2 }, /^colour: there is no such key; allowed keys: instances/],
    [
      "an unknown nested key",
      { benchmark: { client: 2 } },
      /^benchmark\.client: there is no such key; did you mean clients\?/,
    ],
    [
      "an unknown key far inside",
      { benchmark: { thresholds: { maxErrorsRate: 0 } } },
      /^benchmark\.thresholds\.maxErrorsRate: .* did you mean maxErrorRate\?/,
    ],
    [
      "an unknown key in a list",
      { topology: [{ ...dev.topology[0], cores: 2 }] },
      /^topology\[0\]\.cores: there is no such key/,
    ],
    ["an unknown image", { images: { tritn: "x:1" } }, /^images\.tritn: there is no such key; did you mean triton\?/],
    [
      "a value that is not one of several",
      { pinning: "numa" },
      /^pinning: "numa" is not one of the values; allowed values: numactl, cpuset, none$/,
    ],
    [
      "a misspelt value",
      { benchmark: { protocol: "v2-gprc" } },
      /^benchmark\.protocol: "v2-gprc" .* did you mean v2-grpc\? allowed values: v2-grpc, v2-rest, /,
    ],
    [
      "a text for a number",
      { instances: "two" },
      /^instances: "two" is not allowed; it must be a whole number from 1 \(Model servers per node\)$/,
    ],
    [
      "a number that is too small",
      { benchmark: { clients: 0 } },
      /^benchmark\.clients: 0 is not allowed; it must be a whole number from 1 /,
    ],
    ["a fraction", { cpus: 1.5 }, /^cpus: 1\.5 is not allowed; it must be a whole number from 1 /],
    [
      "a share above 1",
      { benchmark: { thresholds: { maxDrift: 2 } } },
      /^benchmark\.thresholds\.maxDrift: 2 is not allowed; it must be a number from 0 to 1 /,
    ],
    [
      "a size without a unit",
      { objectStore: { size: "10" } },
      /^objectStore\.size: "10" is not allowed; it must be a size such as 512Mi or 10Gi /,
    ],
    ["a scalar for an object", { reserved: 1 }, /^reserved: 1 is not allowed; it must be an object /],
    ["a key left out", { model: {} }, /^model\.name: is missing; it must be a text that matches /],
    [
      "no context",
      { cluster: { kind: "kubeconfig" } },
      /^cluster\.context: is missing; it must be a text that is not empty /,
    ],
    [
      "more cores than there are",
      { cpus: 4, reserved: {} },
      /^cpus: 4 is more than the node has; it has 2 cores, so at most 2 \(node1\)$/,
    ],
    [
      "instances that do not divide",
      { instances: 3 },
      /^instances: 3 does not divide cpus, which is 1; possible are 1$/,
    ],
    ["neither source nor version", { model: { name: "lite0" } }, /^model: neither source nor version is there/],
    [
      "both source and version",
      { model: { name: "lite0", source: "/m", version: "1" } },
      /^model: source and version are both there/,
    ],
    [
      "a folder without a manifest",
      { model: { name: "lite0", source: "/nowhere" } },
      /^model\.source: \/nowhere has no manifest\.json; `npm run model`/,
    ],
  ])("%s", (_, changes, expected) => {
    const found = problems(changes);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      "a protocol that the server does not speak",
      { protocol: "tfs-grpc" },
      /^benchmark\.protocol: server\.kind triton does not speak tfs-grpc; choose one of v2-grpc, v2-rest, v2-rest-binary$/,
    ],
    [
      "a rate and stages",
      { load: { rate: 5, stages: [{ rate: 1, duration: 1 }] } },
      /^benchmark\.load: rate and stages are both there; leave out rate 5/,
    ],
    [
      "an open loop without a rate",
      { load: { mode: "open" } },
      /^benchmark\.load: an open loop needs rate .* or stages; neither is there$/,
    ],
    [
      "stages that never send",
      { load: { stages: [{ rate: 0, duration: 1 }] } },
      /^benchmark\.load\.stages: every rate is 0/,
    ],
    [
      "a stage without a length",
      { load: { stages: [{ rate: 1 }] } },
      /^benchmark\.load\.stages\[0\]\.duration: is missing; it must be a number above 0/,
    ],
    ["a rate of 0", { load: { rate: 0 } }, /^benchmark\.load\.rate: 0 is not allowed; it must be a number above 0 /],
    [
      "a key of another mode than the one set",
      { load: { mode: "closed", rate: 5 } },
      /^benchmark\.load\.rate: 5 belongs to an open loop, but benchmark\.load\.mode is closed; leave it out, or set the mode to open$/,
    ],
    [
      "a key of another mode than the one that follows from the others",
      { load: { rate: 5, scenario: "Offline" } },
      /^benchmark\.load\.rate: 5 belongs to an open loop, but benchmark\.load\.scenario makes it an MLPerf scenario; leave rate out, or what makes it so$/,
    ],
    [
      "a key of a mode that nothing asks for",
      { load: { targetQps: 5 } },
      /^benchmark\.load\.targetQps: 5 belongs to an MLPerf scenario, but nothing asks for one; leave it out, or set benchmark\.load\.scenario too$/,
    ],
    ["an MLPerf run without a scenario", { load: { mode: "mlperf" } }, /^benchmark\.load\.scenario: is missing; /],
    [
      "scenario Server without its rate",
      { load: { scenario: "Server", latencyBound: 5 } },
      /^benchmark\.load\.targetQps: is missing; scenario Server /,
    ],
    [
      "scenario Server without its bound",
      { load: { scenario: "Server", targetQps: 5 } },
      /^benchmark\.load\.latencyBound: is missing; with scenario Server /,
    ],
    [
      "a bound that only Server has",
      { load: { scenario: "Offline", latencyBound: 5 } },
      /^benchmark\.load\.latencyBound: 5 belongs to scenario Server, not to Offline; leave it out$/,
    ],
    [
      "samples for a query that has one",
      { load: { scenario: "SingleStream", samplesPerQuery: 2 } },
      /^benchmark\.load: MLPerf SingleStream cannot send queries of 2 samples in requests of 1\. Its queries are /,
    ],
    [
      "several queries for Offline",
      { load: { scenario: "Offline", minQueries: 2 } },
      /^benchmark\.load\.minQueries: 2, but Offline has a single query/,
    ],
    [
      "one query at a time for two pods",
      { load: { scenario: "SingleStream" }, pods: 2 },
      /^benchmark\.load\.scenario: SingleStream has one query at a time, which 2 event loops \(benchmark\.pods 2 x benchmark\.threads 1\) cannot share/,
    ],
    [
      "fewer clients than event loops",
      { clients: 3, pods: 2, threads: 2 },
      /^benchmark\.clients: 3 cannot be shared by 4 event loops/,
    ],
    [
      "fewer connections than event loops",
      { load: { rate: 5, connections: 1 }, pods: 2 },
      /^benchmark\.load\.connections: 1 cannot be shared by 2 event loops/,
    ],
  ])("in the load: %s", (_, benchmark, expected) => {
    const found = problems({ benchmark });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it("in a load that is not measured is none", () => {
    expect(problems({ benchmark: { enabled: false, protocol: "tfs-grpc", load: { mode: "open" } } })).toEqual([]);
  });

  it.each([
    ["{", /manifest\.json is not JSON/],
    [{ ...manifest, name: "other" }, /^model\.name: "lite0" is not the model in .*, which is "other"$/],
    [{ ...manifest, files: [{ path: "../x", sha256: "", bytes: 1 }] }, /"\.\.\/x" is not a path inside/],
    [{ ...manifest, files: [] }, /lists no files/],
    [{ ...manifest, version: "a/b" }, /"version" is "a\/b", not a version/],
  ])("in the model's manifest: %j", (text, expected) => {
    const found = problems({ model: { name: "lite0", source: model(text) } });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it("is told with all others", () => {
    const { config, problems } = checkConfig({
      ...dev,
      instances: 3,
      pining: "none",
      model: { name: "lite0" },
      benchmark: { clients: -1, thresholds: { maxDrift: "x" } },
    });
    expect(config).toBeUndefined();
    expect(problems.map((line) => line.split(":")[0]).sort()).toEqual(
      ["benchmark.clients", "benchmark.thresholds.maxDrift", "instances", "model", "pining"].sort(),
    );
  });

  it("is one mistake where a key is misspelt and so missing", () => {
    const { instances, ...others } = dev;
    expect(checkConfig({ ...others, instance: instances }).problems).toEqual([
      expect.stringMatching(/^instance: there is no such key; did you mean instances\?/),
    ]);
  });

  it("is found however many there are", () => {
    const unknown = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`unknown${i}`, i]));
    expect(problems(unknown)).toHaveLength(40);
  });
});

describe("readConfig", () => {
  const set = async (config: Record<string, string>) => {
    await pulumi.runtime.setMocks(
      { newResource: () => ({ id: "", state: {} }), call: () => ({}) },
      "inference-stack",
      "dev",
    );
    pulumi.runtime.setAllConfig(config);
  };
  const asText = Object.fromEntries(
    Object.entries(dev).map(([key, value]) => [`inference-stack:${key}`, JSON.stringify(value)]),
  );

  it("reads values as Pulumi hands them over, and nobody else's", async () => {
    await set({ ...asText, "inference-stack:pinning": "none", "kubernetes:whatever": "x" });
    expect(readConfig()).toMatchObject({ instances: 1, pinning: "none", cluster: { kind: "embedded" } });
  });

  it("throws a RunError, which Pulumi shows without a stack", async () => {
    await set({ ...asText, "inference-stack:instances": "x", "inference-stack:cpus": "2" });
    let error: unknown;
    try {
      readConfig();
    } catch (thrown) {
      error = thrown;
    }
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    expect((error as Error).message).toMatch(
      /^There is a mistake in the config of stack dev \(docs\/config\.md lists all keys\):\n {2}instances: "x" is not allowed/,
    );
  });

  it("says who fills in what only the machine knows", async () => {
    const { topology: _, ...others } = asText as Record<string, string>;
    delete others["inference-stack:topology"];
    await set(others);
    expect(() => readConfig()).toThrow(/topology: is missing[\s\S]*`npm start` and `npm run preview` fill in/);
  });
});
