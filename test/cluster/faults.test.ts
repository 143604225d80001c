import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelManifest } from "../../components/storage/manifest.ts";
import { kubectl } from "../../local/cluster/cluster.ts";
import { ensure } from "../../local/toolchain/index.ts";
import { cli, configs, succeed } from "./cli.ts";

/**
 * What can be wrong with the servers of a stack that is up: each deployment ends in the time it was given, with the reason, and
 * the next one after the fix succeeds with nothing cleaned up by hand.
 */
const NAMESPACE = "inference-dev";
const READY_SECONDS = 20;
const start = (...sets: string[]) => configs(["benchmark.enabled=false", ...sets]);

/** The output of a deployment that must fail. */
async function failing(...sets: string[]): Promise<string> {
  const { code, output } = await cli("start", ...start(`server.readySeconds=${READY_SECONDS}`, ...sets));
  expect(code, output).not.toBe(0);
  expect(output).not.toMatch(/\n\s+at .*\.ts:\d+/); // no stack trace
  const [, minutes = 0, seconds] = /Duration: (?:(\d+)m)?(\d+)s/.exec(output)!;
  expect(60 * Number(minutes) + Number(seconds)).toBeLessThan(300); // not the 10 minutes a workload has by itself
  return output;
}

/** The fix: the stack as it should be. Its one server then answers. */
async function mended(...sets: string[]): Promise<void> {
  await succeed("start", ...start(...sets));
  const { items } = JSON.parse(
    await kubectl(["get", "pods", "-n", NAMESPACE, "-l", "inference-stack/plan", "-o", "json"]),
  ) as { items: { status: { podIP: string } }[] };
  expect(items).toHaveLength(1);
  const { status } = await fetch(`http://${items[0].status.podIP}:8000/v2/models/lite0/ready`);
  expect(status).toBe(200);
}

describe("a deployment ends with the reason, and the next one succeeds, when", () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "models-"));
    await mended();
  });
  afterAll(async () => {
    await cli("stop", "--purge");
    rmSync(folder, { recursive: true });
  });

  it("the model is not in the bucket", async () => {
    const output = await failing("model.version=absent");
    expect(output).toMatch(/pod inference-dev\/server-node1-0, container fetch: /);
    expect(output).toMatch(/\| .*lite0\/absent\/manifest\.json is not in the object store .*was the model uploaded\?/);
    await mended();
  });

  it("the model is corrupt", async () => {
    const output = await failing(`model.source=${await corrupt()}`);
    expect(output).toMatch(/pod inference-dev\/server-node1-0, container triton: /);
    expect(output).toMatch(/\n {2}\| .*lite0/);
    await mended();
  });

  /** The model's folder with an honest manifest of a network that is none. */
  async function corrupt(): Promise<string> {
    const copy = join(folder, "corrupt");
    const { model } = await ensure(["model"]);
    cpSync(model, copy, { recursive: true });
    const path = "repository/lite0/1/lite0.xml";
    const content = "<net>";
    writeFileSync(join(copy, path), content);
    const file = join(copy, "manifest.json");
    const manifest = JSON.parse(readFileSync(file, "utf8")) as ModelManifest;
    const sha256 = createHash("sha256").update(content).digest("hex");
    const files = manifest.files.map((f) => (f.path === path ? { path, sha256, bytes: content.length } : f));
    writeFileSync(file, JSON.stringify({ ...manifest, version: "corrupt", files }));
    return copy;
  }

  it("the store refuses the servers' credentials", async () => {
    const secret = ["secret", "object-store-models-read", "-n", NAMESPACE];
    const { data } = JSON.parse(await kubectl(["get", ...secret, "-o", "json"])) as { data: Record<string, string> };
    const key = Object.keys(data).find((name) => /secret/i.test(name))!;
    const set = (value: string) =>
      kubectl(["patch", ...secret, "--type=merge", "-p", JSON.stringify({ data: { [key]: value } })]);
    await set(Buffer.from("not-the-key-of-this-store").toString("base64"));
    // The pods that run have read theirs; other memory makes a new one.
    const output = await failing("server.memory=900Mi");
    expect(output).toMatch(/\| .*the object store refuses access to .*\(SignatureDoesNotMatch\)/);
    await set(data[key]);
    await mended("server.memory=900Mi");
  });

  it("the server crashes in a loop", async () => {
    const output = await failing("server.memory=48Mi");
    expect(output).toMatch(/pod inference-dev\/server-node1-0, container triton: .*(OOMKilled|exit code)/);
    expect(output).toMatch(/\n {2}\| \S/);
    await mended();
  });

  it("the node has fewer cores than the plan was made for", async () => {
    const topology = JSON.stringify([{ name: "node1", numa: [[0, 4001]], smt: 1 }]);
    const output = await failing(`topology=${topology}`);
    expect(output).toMatch(/\| pinning: CPUs 4001 cannot be used on this node/);
    await mended();
  });

  it("no node has as many cores as a server asks for", async () => {
    const asked = ["pinning=none", "autoscaling.resourceLimiting=512500m"];
    const output = await failing(...asked);
    expect(output).toMatch(/pod inference-dev\/server-node1-0: no node takes it: .*Insufficient cpu/);
    await mended();
  });
});
