import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Ticks } from "../../benchmarks/client/control.ts";
import { readBundle, writeBundle } from "../../benchmarks/provenance/bundle.ts";
import { checkout, state } from "../../local/paths.ts";
import { cli, configs, result, succeed } from "./cli.ts";

let live: ChildProcess | undefined;
afterAll(async () => {
  live?.kill();
  await cli("stop", "--purge");
});

/** What `npm run live` prints as soon as there is a run. */
function address(): Promise<URL> {
  live = spawn(process.execPath, [join(checkout, "local", "cli.ts"), "live"], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  return new Promise((resolve, reject) => {
    live!.once("exit", (code) => reject(new Error(`live ended with ${code}: ${said}`)));
    live!.stdout!.on("data", (chunk) => {
      said += chunk;
      const url = /^http:\S+$/m.exec(said)?.[0];
      if (url) resolve(new URL(url));
    });
  });
}

const bundles = () => readdirSync(state.results).filter((name) => name.endsWith(".bundle.gz"));

test("a run in the cluster is seen and steered from here, and keeps all that it comes from", async () => {
  await succeed("start", "--config", "benchmark.enabled=false"); // `live` looks where the stack was deployed last
  const open = ["benchmark.control=true", "benchmark.load.rate=20", "benchmark.warmup=1", "benchmark.duration=20"];
  const run = succeed("start", ...configs(open));
  const url = await Promise.race([address(), run.then(() => Promise.reject(new Error("the run was not seen")))]);
  const token = new URLSearchParams(url.hash.slice(1)).get("token");
  expect(token).toMatch(/^\w{40}$/);
  expect(await (await fetch(url.origin)).text()).toMatch(/^<!doctype html>/);
  const setRate = (authorization: string) =>
    fetch(`${url.origin}/rate`, { method: "PUT", headers: { authorization }, body: '{"rate": 30}' });
  expect((await setRate("")).status).toBe(401);
  expect((await setRate(`Bearer ${token}`)).status).toBe(200);
  const { isRateOpen } = (await (await fetch(`${url.origin}/ticks`)).json()) as Ticks;
  expect(isRateOpen).toBe(true);
  await run;
  const { events, key } = await result();
  expect(events).toMatchObject([{ rate: 30 }]);
  expect(bundles().filter((name) => name.includes(key))).toHaveLength(1);
});

test("a bundle is measured again as it was, and not on another machine", async () => {
  const file = join(state.results, bundles().at(-1)!);
  const bundle = readBundle(file);
  expect(bundle.manifests.map(({ type }) => type)).toContain("kubernetes:apps/v1:StatefulSet");
  expect(JSON.stringify(bundle.manifests)).toContain("[secret]");
  expect(bundle.nodes[0]!.kernel).toBe(bundle.result.environment.kernel);

  const other = join(state.results, "other.bundle.gz");
  const environment = { ...bundle.result.environment, kernel: "5.0.0" };
  writeBundle(other, { ...bundle, result: { ...bundle.result, environment } });
  const refused = await cli("replay", other);
  expect(refused.output).toMatch(/differs +kernel: \S+ here, 5\.0\.0 in the bundle/);
  expect(refused.output).toContain("--accept kernel");
  expect(refused.code).toBe(3);
  expect((await result()).key).toBe(bundle.result.key); // nothing was deployed

  const again = await cli("replay", file);
  expect(again.output).toMatch(/then +\S+ inferences\/s[\s\S]*now +\S+ inferences\/s/);
  expect(again.code).toBe(0);
  const { key, startedAt, load } = await result();
  expect(key).not.toBe(bundle.result.key); // the counter of reruns is another
  expect(Date.parse(startedAt)).toBeGreaterThan(Date.parse(bundle.result.startedAt));
  expect(load.requested).toEqual(bundle.result.load.requested);
  expect(load.schedule?.hash).toBeDefined();
});
