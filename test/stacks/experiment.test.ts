import { describe, expect, it } from "vitest";
import { bundleClient } from "../../benchmarks/client/bundle.ts";
import { bundleFetch } from "../../components/storage/fetch/bundle.ts";
import { checkConfig } from "../../stacks/config.ts";
import { experimentOf } from "../../stacks/experiment.ts";
import { CONFIG_MAP, dev, measured, only, presetConfig, runProgram } from "./program.ts";

describe("the experiment of a config", () => {
  it.each([
    ["dev", dev],
    ["an open loop from several pods", { ...dev, benchmark: { pods: 2, load: { rate: 40 }, rerun: 3 } }],
    ["the engine seldon", { ...dev, engine: "seldon" }],
    ["high-throughput", presetConfig("high-throughput")],
  ])("has, before anything is deployed, what its deployment has: %s", async (_, raw) => {
    const programs = { client: await bundleClient(), fetch: await bundleFetch() };
    const { config, problems } = checkConfig(raw);
    expect(problems).toEqual([]);
    const program = await runProgram(raw, { result: measured });
    const deployed = JSON.parse(only(program, CONFIG_MAP, "benchmark-spec").inputs.data["spec.json"]);
    expect(JSON.parse(JSON.stringify(experimentOf(config!, "dev", programs).spec))).toEqual(deployed);
  });
});
