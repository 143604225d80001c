import { afterAll, describe, expect, it } from "vitest";
import { kubectl } from "../../local/cluster/cluster.ts";
import { cli, configs, output, result, succeed } from "./cli.ts";

/** The load on the real cluster, from several pods. Rates are far below what the servers can do. */
const load = (...sets: string[]) =>
  configs(["benchmark.pods=2", "benchmark.warmup=2", "benchmark.load.rate=8", "benchmark.load.connections=2", ...sets]);
const namespace = "inference-dev";
const inside = (...args: string[]) => kubectl(["-n", namespace, ...args]);

interface Named {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}
const list = async (kind: string, selector: string): Promise<Named[]> =>
  JSON.parse(await inside("get", kind, "-l", selector, "-o", "json")).items;
const workers = () => list("pods", "app.kubernetes.io/name=benchmark-worker");
const coordinators = () => list("pods", "app.kubernetes.io/name=benchmark");

/** Waits until the coordinator of the run that is under way has said that it measures; returns its name. */
async function measuring(before: readonly string[]): Promise<string> {
  for (;;) {
    const pods = await coordinators().catch(() => []);
    const fresh = pods.find(({ metadata, status }) => !before.includes(metadata.name) && status.phase === "Running");
    const log = fresh && (await inside("logs", fresh.metadata.name).catch(() => ""));
    if (fresh && /^\d+ s: /m.test(log ?? "")) return fresh.metadata.name;
    await new Promise((next) => setTimeout(next, 500));
  }
}

async function changes(...sets: string[]): Promise<string[]> {
  const { steps } = JSON.parse(await output("preview", ...load(...sets), "--json")) as {
    steps: { op: string; urn: string }[];
  };
  return steps.filter(({ op }) => op !== "same" && op !== "read").map(({ op, urn }) => `${op} ${urn}`);
}

describe("several load pods", () => {
  afterAll(() => cli("stop", "--purge"));

  it("measure an open loop together, and end when it is done", async () => {
    const printed = await succeed("start", ...load("benchmark.duration=10"));
    expect(printed).toMatch(/shared by 2 event loops/);
    const { environment, load: done, counts, correctness, verdict } = await result();
    const names = (await workers()).map(({ metadata }) => metadata.name).sort();
    expect(environment.clients.map(({ name }) => name).sort()).toEqual(names);
    expect(names).toHaveLength(2);
    expect(counts).toMatchObject({ sent: done.schedule!.requests, failed: 0, unsent: 0 });
    expect(correctness).toEqual({ checked: counts.answered, wrong: 0 });
    expect(verdict.reasons.join("\n")).not.toMatch(/orker/);
    await expect
      .poll(async () => (await workers()).map(({ status }) => status.phase), { timeout: 60_000 })
      .toEqual(["Succeeded", "Succeeded"]);
    expect(await changes("benchmark.duration=10")).toEqual([]);
  });

  it("all change their rate when the coordinator is told to", async () => {
    const before = (await coordinators()).map(({ metadata }) => metadata.name);
    const sets = ["benchmark.duration=20", "benchmark.control=true"];
    const started = succeed("start", ...load(...sets));
    const pod = await Promise.race([measuring(before), started.then(() => "")]);
    const call = (path: string, options = "{}") =>
      inside(
        "exec",
        pod,
        "--",
        "node",
        "-e",
        `fetch("http://" + process.env.POD_IP + ":7070${path}", { headers: { authorization: "Bearer " + require("fs").readFileSync("/token/token", "utf8") }, ...${options} }).then(async (r) => console.log(r.status, await r.text()))`,
      );
    expect(await call("/status")).toMatch(/^200 .*"requestedRate":8\b/);
    // Whoever reaches it may look; to change anything takes the token.
    expect(await call("/status", "{ headers: {} }")).toMatch(/^200 /);
    expect(await call("/rate", `{ method: "PUT", headers: {}, body: '{"rate": 14}' }`)).toMatch(/^401 /);
    expect(await call("/rate", `{ method: "PUT", body: '{"rate": "fast"}' }`)).toMatch(
      /^400 .*must be a number above 0/,
    );
    expect(await call("/rate", `{ method: "PUT", body: '{"rate": 14}' }`)).toMatch(/^200 .*"rate":14,"effectiveAt"/);
    await started;
    const { events, segments, environment } = await result();
    expect(events).toEqual([{ atSeconds: expect.any(Number), rate: 14 }]);
    expect(segments.map(({ requestedRate }) => requestedRate)).toEqual([8, 14]);
    expect(environment.clients).toHaveLength(2);
  });

  it("are missed by name when one is killed, and the rest counts", async () => {
    const before = (await coordinators()).map(({ metadata }) => metadata.name);
    const started = succeed("start", ...load("benchmark.duration=25"));
    await Promise.race([measuring(before), started]);
    const [, killed] = (await workers()).filter(({ status }) => status.phase === "Running");
    await inside("delete", "pod", killed!.metadata.name, "--grace-period=0", "--force");
    await started;
    const { verdict, counts, environment } = await result();
    expect(verdict.valid).toBe(false);
    expect(verdict.reasons.join("\n")).toContain(`Worker pod ${killed!.metadata.name} was lost while it measured`);
    expect(counts.answered).toBeGreaterThan(50);
    expect(environment.clients).toHaveLength(2);
    // The measurement stays as it is until someone asks for another.
    expect(await changes("benchmark.duration=25")).toEqual([]);
  });
});
