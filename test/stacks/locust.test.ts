import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { checkConfig } from "../../stacks/config.ts";
import { CONFIG_MAP, dev, JOB, measured, only, type Program, runProgram, SERVICE, withoutPrograms } from "./program.ts";

const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const result = (configMap: string) =>
  configMap.startsWith("locust-result-") ? measured(configMap.replace("locust-", "benchmark-")) : measured(configMap);
const run = (locust: object = {}, changes: object = {}) =>
  runProgram({ ...dev, ...changes, locust: { enabled: true, workers: 2, ...locust } }, { result });
const own = (program: Program) => program.resources.filter(({ name }) => name.startsWith("locust"));
const problems = (locust: object, changes: object = {}) =>
  checkConfig({ ...dev, ...changes, locust: { enabled: true, ...locust } }).problems;
const readable = (program: Program) =>
  dump(withoutPrograms(own(program)), { noRefs: true, lineWidth: -1 })
    .replace(/\bfetch-[0-9a-f]{10,12}\b/g, "fetch-HASH")
    .replace(/\b(locust(?:-[a-z]+)?)-[0-9a-f]{10,12}\b/g, "$1-HASH")
    .replace(/(-HASH-(?:program|target))-[0-9a-f]{10}\b/g, "$1-HASH")
    .replace(/("key": "|"planHash": ")[0-9a-f]+/g, "$1HASH");
const pods = (program: Program) =>
  own(program).flatMap(({ inputs }) => (inputs.spec?.template ? [inputs.spec.template.spec] : []));

describe("Locust", () => {
  it("is a master with a web page and workers, which stay", async () => {
    const program = await run();
    await expect(readable(program)).toMatchFileSnapshot("__snapshots__/locust.yaml");
    expect(program.exports.locust).toEqual({
      namespace: "inference-dev",
      service: "locust",
      port: 8089,
      user: "locust",
      secretName: "locust-web",
    });
    expect(own(program).filter(({ type }) => type === JOB)).toEqual([]);
  });

  it("is two Jobs and what reads the master's log without the page", async () => {
    const program = await run({ headless: true });
    await expect(readable(program)).toMatchFileSnapshot("__snapshots__/locust-headless.yaml");
    expect(own(program).filter(({ type }) => type === DEPLOYMENT)).toEqual([]);
    expect(program.exports.locust.result.verdict.valid).toBe(true);
  });

  it("is not there unless it is asked for", async () => {
    const program = await run({ enabled: false });
    expect(own(program)).toEqual([]);
    expect(program.exports.locust).toBeNull();
  });

  it.each([false, true])("has restricted pods without service links (headless: %s)", async (headless) => {
    const all = pods(await run({ headless }));
    expect(all.length).toBeGreaterThanOrEqual(2);
    for (const pod of all) {
      expect(pod).toMatchObject({ enableServiceLinks: false, securityContext: { runAsNonRoot: true } });
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])])
        expect(container.securityContext).toMatchObject({
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
        });
    }
  });

  it("asks for a generated password that is in no text", async () => {
    const program = await run();
    expect(only(program, "kubernetes:core/v1:Secret", "locust").inputs.stringData).toBe("[secret]");
    expect(readable(program)).not.toContain("locust-web-generated");
    const [master] = pods(program);
    expect(master.containers[0].env).toContainEqual({
      name: "WEB_PASSWORD",
      valueFrom: { secretKeyRef: { name: "locust-web", key: "password" } },
    });
  });

  it("starts its pods anew when what they read changes, and measures again only then", async () => {
    const templates = async (locust: object) => JSON.stringify(pods(await run(locust)));
    expect(await templates({})).toBe(await templates({}));
    expect(await templates({ protocol: "v2-rest" })).not.toBe(await templates({}));
    const job = async (locust: object) => only(await run({ headless: true, ...locust }), JOB, "locust-collector").name;
    expect(await job({})).toBe(await job({}));
    expect(await job({ rerun: 1 })).not.toBe(await job({}));
    expect(await job({ users: 9 })).not.toBe(await job({}));
  });

  it("is found at a port of our own choosing, inside the cluster alone", async () => {
    const { spec } = only(await run({ port: 18089 }), SERVICE, "locust").inputs;
    expect(spec.ports[0]).toMatchObject({ port: 18089, targetPort: "web" });
    expect(spec.type).toBeUndefined(); // ClusterIP
  });

  it("sends what the load client sends, to where it sends it", async () => {
    const program = await run();
    const { target } = JSON.parse(only(program, CONFIG_MAP, "locust-target").inputs.data["spec.json"]);
    expect(target).toEqual(JSON.parse(only(program, CONFIG_MAP, "benchmark-spec").inputs.data["spec.json"]).target);
  });

  it("refuses what cannot be, with the way out", () => {
    expect(problems({})).toEqual([]);
    expect(problems({ protocol: "seldon-grpc" })).toEqual([
      expect.stringMatching(/^locust\.protocol: server\.kind triton does not speak seldon-grpc.*v2-grpc, v2-rest$/),
    ]);
    expect(problems({}, { benchmark: { ...dev.benchmark, protocol: "v2-rest-binary" } })).toEqual([
      expect.stringMatching(/^benchmark\.protocol: Locust does not speak v2-rest-binary.*v2-grpc, v2-rest/),
    ]);
    expect(problems({ protocol: "v2-rest" }, { model: { ...dev.model, inputs: "jpeg" } })).toEqual([
      expect.stringMatching(/^locust\.protocol: v2-rest sends JSON/),
    ]);
    expect(problems({ users: 0, port: 80 })).toHaveLength(2);
  });
});
