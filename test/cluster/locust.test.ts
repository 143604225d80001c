import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LocustTables } from "../../benchmarks/locust/spec.ts";
import type { Result } from "../../benchmarks/result.ts";
import type { ModelManifest } from "../../components/storage/manifest.ts";
import { kubectl, readSpec } from "../../local/cluster/cluster.ts";
import { state } from "../../local/paths.ts";
import { ensure } from "../../local/toolchain/index.ts";
import { installPackages, missingPackages } from "../../local/toolchain/packages.ts";
import { cli, configs, output, succeed } from "./cli.ts";

const locust = (...sets: string[]) =>
  configs([
    "benchmark.enabled=false",
    "benchmark.thresholds.maxDrift=1", // a machine for tests is not a quiet one
    "benchmark.thresholds.maxClientBusy=1",
    "benchmark.thresholds.maxSlipMs=1000",
    "locust.enabled=true",
    "locust.users=2",
    "locust.workers=2",
    "locust.duration=15",
    ...sets,
  ]);
const outputs = async (): Promise<{ result: Result; tables: LocustTables }> =>
  JSON.parse(await output("outputs")).locust;
const namespace = ["-n", "inference-dev"];
const names = async (kind: string) =>
  kubectl(["get", kind, ...namespace, "-o", "name", "-l", "app.kubernetes.io/part-of=inference-stack"]);

/** Opens a Service of the cluster at a port of this machine, as a user does, for as long as `use` takes. */
async function forwarded<T>(service: string, port: number, use: (url: string) => Promise<T>): Promise<T> {
  const child = spawn(
    join(readSpec()!.bin, "kubectl"),
    [`--kubeconfig=${state.kubeconfig}`, "port-forward", ...namespace, `service/${service}`, `:${port}`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    const local = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout.on("data", (chunk) => {
        text += chunk;
        const found = /127\.0\.0\.1:(\d+)/.exec(text);
        if (found) resolve(found[1]!);
      });
      child.once("exit", () => reject(new Error(`kubectl port-forward ended: ${text}`)));
    });
    return await use(`http://127.0.0.1:${local}`);
  } finally {
    child.kill();
  }
}

/** What the page shows under a heading of its bar. */
const shown = async (page: Page, heading: string) =>
  new RegExp(`\\b${heading}\\s+(\\S+)`).exec(await page.innerText("body"))?.[1];

describe("npm start with Locust", () => {
  const folder = mkdtempSync(join(tmpdir(), "mislabelled-"));
  beforeAll(() => installPackages(missingPackages(new Set(["browser"]))));
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await cli("stop", "--purge");
  });

  it("has a page that a browser opens with the generated password, and that starts and shows a run", async () => {
    await succeed("start", ...locust());
    const secret = await kubectl(["get", "secret", "locust-web", ...namespace, "-o", "jsonpath={.data.password}"]);
    const password = Buffer.from(secret, "base64").toString();
    await forwarded("locust", 8089, async (url) => {
      expect((await fetch(url)).status).toBe(401);
      const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
      try {
        const page = await browser.newPage({ httpCredentials: { username: "locust", password } });
        await page.goto(url);
        await expect.poll(() => shown(page, "Workers"), { timeout: 30_000 }).toBe("2");
        await page.getByRole("button", { name: /^start$/i }).click();
        await expect.poll(() => shown(page, "Status"), { timeout: 30_000 }).toBe("RUNNING");
        await expect.poll(async () => Number(await shown(page, "RPS")), { timeout: 60_000 }).toBeGreaterThan(1);
        expect(await page.innerText("table")).toMatch(/v2-grpc\s+lite0\s+[1-9]/);
        expect(await shown(page, "Failures")).toBe("0%");
        await page.getByRole("button", { name: /^stop$/i }).click();
        await expect.poll(() => shown(page, "Status"), { timeout: 30_000 }).toBe("STOPPED");
      } finally {
        await browser.close();
      }
    });
  });

  it("makes one run without the page, which ends and hands back tables and a result", async () => {
    const printed = await succeed("start", ...locust("locust.headless=true"));
    expect(printed).toMatch(/Locust\n {2}throughput +[\d.]+ right answers\/s/);
    const { result, tables } = await outputs();
    expect(result.correctness.checked).toBeGreaterThan(50);
    expect([result.correctness.wrong, result.errors.total]).toEqual([0, 0]);
    expect(result.environment.clients).toHaveLength(2);
    expect(result.environment.servers.map(({ cpusPlanned, cpusAllowed }) => cpusPlanned === cpusAllowed)).toEqual([
      true,
    ]);
    expect(result.verdict.notes.join()).toMatch(/Locust, which rounds/);
    const [head, row] = tables.requests.split("\n");
    expect(head).toMatch(/^Type,Name,Request Count,Failure Count/);
    expect(row).toMatch(new RegExp(`^v2-grpc,lite0,${result.counts.sent},0,`));
    const pods = await kubectl([
      "get",
      "pods",
      ...namespace,
      "-o",
      "jsonpath={range .items[*]}{.metadata.name} {.status.phase}\n{end}",
    ]);
    for (const line of pods.split("\n").filter((name) => name.startsWith("locust")))
      expect(line).toMatch(/ Succeeded$/);
    expect(await names("deployments")).not.toMatch(/locust/);
  });

  it("runs no second time unless something changes", async () => {
    const before = await outputs();
    await succeed("start", ...locust("locust.headless=true"));
    expect(await outputs()).toEqual(before);
  });

  it("counts answers that are wrong as failures, over REST too", async () => {
    const { model } = await ensure(["model"]);
    cpSync(model, folder, { recursive: true });
    const file = join(folder, "inputs", "manifest.json");
    const manifest = JSON.parse(readFileSync(file, "utf8"));
    for (const input of manifest.inputs) input.labels = [999];
    writeFileSync(file, JSON.stringify(manifest));
    const list = join(folder, "manifest.json");
    const { files, ...rest } = JSON.parse(readFileSync(list, "utf8")) as ModelManifest;
    const [bytes, sha256] = [statSync(file).size, createHash("sha256").update(readFileSync(file)).digest("hex")];
    const changed = files.map((entry) => (entry.path === "inputs/manifest.json" ? { ...entry, bytes, sha256 } : entry));
    writeFileSync(list, JSON.stringify({ ...rest, version: "mislabelled", files: changed }));
    await succeed("start", ...locust("locust.headless=true", "locust.protocol=v2-rest", `model.source=${folder}`));
    const { result, tables } = await outputs();
    expect(result.target.protocol).toBe("v2-rest");
    expect(result.counts.sent).toBeGreaterThan(10);
    expect(result.errors.byKind).toEqual({ "wrong answer": result.counts.sent });
    expect(result.correctness).toEqual({ checked: result.counts.sent, wrong: result.counts.sent });
    expect(result.verdict.valid).toBe(false);
    expect(tables.failures).toContain("wrong answer");
  });

  it("leaves nothing behind when it is destroyed", async () => {
    await succeed("destroy");
    expect(await kubectl(["get", "namespaces", "-o", "name"])).not.toContain("inference-dev");
  });
});
