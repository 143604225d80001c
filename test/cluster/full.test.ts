import { describe, expect, it } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";
import { cli, configs, judged, output, succeed } from "./cli.ts";

const stack = ["--stack", "full"];
const sets = configs([...judged, "benchmark.thresholds.maxClientBusy=1"]);
const kinds =
  "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,apiservices,validatingwebhookconfigurations,mutatingwebhookconfigurations,persistentvolumes";
/** Objects that no namespace has, but those of the cluster itself. */
const objects = async () => (await kubectl(["get", kinds, "-o", "name"])).trim().split("\n").sort();

/** Everything on, and off again: each part has its own test; this one is about their order. */
describe("the stack full", () => {
  let before: string[];

  it("comes up from nothing in one go, and every measurement of it has a result", async () => {
    await succeed("start", ...configs(["benchmark.enabled=false"]));
    await succeed("destroy");
    before = await objects();
    await succeed("start", ...stack, ...sets);
    const { benchmark, gatewayCost, training, locust, imageRegistry } = JSON.parse(await output("outputs", ...stack));
    expect(benchmark.verdict.reasons).toEqual([]);
    expect(benchmark.correctness).toEqual({ checked: benchmark.counts.answered, wrong: 0 });
    expect(gatewayCost.throughputRatio).toBeGreaterThan(0);
    expect(training.throughput.imagesPerSecond).toBeGreaterThan(0);
    expect(locust).toBeTruthy();
    const pods = JSON.parse(await kubectl(["get", "pods", "-n", "inference-full", "-o", "json"])) as {
      items: { metadata: { name: string }; spec: { containers: { image: string }[] } }[];
    };
    const client = pods.items.find(({ metadata }) => metadata.name.startsWith("benchmark-"));
    expect(client?.spec.containers[0]?.image).toContain(`${imageRegistry.host}/`);
  });

  it("is at rest then", async () => {
    const { code, output } = await cli("preview", ...stack, ...sets, "--expect-no-changes");
    expect(output).toMatch(/\d+ unchanged/);
    expect(code).toBe(0);
  });

  it("goes in one go as well, and leaves nothing", async () => {
    await succeed("destroy", ...stack);
    await expect.poll(objects, { timeout: 60_000 }).toEqual(before);
  });
});
