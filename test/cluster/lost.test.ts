import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";
import { readTopology } from "../../local/cluster/topology.ts";
import { cli, configs, output, result, succeed } from "./cli.ts";
import { outerOf } from "./outer.ts";

/** Two nodes with a server each, of which one is lost while they are measured. A number of requests ends a run on any machine. */
const NAMESPACE = "inference-dev";
const start = (...sets: string[]) =>
  configs([
    "cluster.nodes=2",
    "reserved.client=0",
    "benchmark.clients=4",
    "benchmark.warmup=2",
    ...["maxDrift=1", "maxSlipMs=1000", "maxClientBusy=1"].map((threshold) => `benchmark.thresholds.${threshold}`),
    ...sets,
  ]);
const whole = start("benchmark.load.repeats=300");

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly phase: string;
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}
const pods = async (label: string) =>
  (JSON.parse(await kubectl(["get", "pods", "-n", NAMESPACE, "-l", label, "-o", "json"])) as { items: Pod[] }).items;

/** Starts a measurement, does something to it once it measures, and waits for its end. */
async function disturbed(args: string[], disturb: () => unknown): Promise<string> {
  const known = (await pods("app.kubernetes.io/name=benchmark")).map(({ metadata }) => metadata.uid);
  const done = cli("start", "--rerun", ...args);
  const log = async () => {
    const fresh = (await pods("app.kubernetes.io/name=benchmark")).find(
      ({ metadata }) => !known.includes(metadata.uid),
    );
    return fresh ? kubectl(["logs", "-n", NAMESPACE, fresh.metadata.name, "-c", "client"]).catch(() => "") : "";
  };
  await expect.poll(log, { timeout: 900_000, interval: 200 }).toMatch(/^\d+ s: \d+ requests\/s/m);
  await disturb();
  const { code, output } = await done;
  expect(code, output).toBe(0); // whatever was measured is a success; the verdict is in the result
  return output;
}

describe.skipIf(readTopology("this machine").numa.flat().length < 2)("a measurement of two nodes", () => {
  beforeAll(async () => void (await succeed("start", ...whole)));
  afterAll(() => cli("stop", "--purge"));

  it("is VALID with a server on each, pinned to a core of its node", async () => {
    const { verdict, environment, servers } = await result();
    expect(verdict.reasons).toEqual([]);
    expect(environment.servers.map(({ pod, node }) => [pod, node])).toEqual([
      ["server-node1-0", "node1"],
      ["server-node2-0", "node2"],
    ]);
    const [first, second] = environment.servers.map(({ cpusAllowed }) => cpusAllowed);
    expect([first, second]).toEqual(environment.servers.map(({ cpusPlanned }) => cpusPlanned));
    expect(first).not.toBe(second);
    for (const { answered } of servers) expect(answered).toBeGreaterThan(300);
  });

  it("hands commands to a pod as they are", async () => {
    const into = ["exec", "-n", NAMESPACE, "server-node2-0", "-c", "triton", "--"];
    expect(await output("kubectl", ...into, "printf", "%s|", "--", "-n")).toBe("--|-n|");
  });

  it("is INVALID when an instance is killed, which the stack replaces", async () => {
    const [{ metadata }] = await pods("inference-stack/set=server-node2");
    const printed = await disturbed(start("benchmark.duration=20"), () =>
      kubectl(["delete", "pod", metadata.name, "-n", NAMESPACE, "--grace-period=1", "--wait=false"]),
    );
    const { verdict } = await result();
    expect(verdict.valid).toBe(false);
    expect(verdict.reasons).toContain("Pod server-node2-0 was replaced during the run.");
    expect(printed).toMatch(/verdict +INVALID\n +- .*\n/);
    expect(printed).toContain("Pod server-node2-0 was replaced during the run.");

    await succeed("start", "--rerun", ...whole);
    expect((await result()).verdict.reasons).toEqual([]);
    expect((await pods("inference-stack/set=server-node2"))[0].metadata.uid).not.toBe(metadata.uid);
  });

  it("is INVALID when a node is lost, which comes back by itself", async () => {
    await kubectl(["cordon", "node2"]); // the client would be lost with it
    await disturbed(start("benchmark.duration=20"), () => process.kill(outerOf("node2"), "SIGKILL"));
    await kubectl(["uncordon", "node2"]);
    const { verdict } = await result();
    expect(verdict.valid).toBe(false);
    expect(verdict.reasons.join("\n")).toMatch(/requests failed.*All of them went to pod server-node2-0 on node2\./);
    expect(verdict.reasons.join("\n")).not.toContain("server-node1-0");

    await succeed("start", "--rerun", ...whole);
    expect((await result()).verdict.reasons).toEqual([]);
  });
});
