import { afterEach, describe, expect, test, vi } from "vitest";
import { runPart } from "../../../benchmarks/client/engine.ts";
import type { Load } from "../../../benchmarks/spec.ts";
import { experiment, grpcServer, measure, restServer, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // it may run on a busy machine

const running: TestServer[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));

const rates = (seconds: number) =>
  ({
    ...{ mode: "open", arrivals: "constant", connections: 4, warmupSeconds: 0, seed: 1 },
    stages: [{ rate: 50, durationSeconds: seconds }],
  }) as const satisfies Load;

describe.each([
  ["v2-grpc", grpcServer],
  ["v2-rest", restServer],
] as const)("%s: servers that come and go", (protocol, start) => {
  async function two() {
    const first = await start({ delayMs: 5 }, "127.0.0.1");
    const second = await start({ delayMs: 5 }, "127.0.0.2", first.port);
    running.push(first, second);
    return { first, second, port: first.port };
  }
  const named = (port: number, seconds: number) => ({ ...experiment(protocol, port, rates(seconds)), follows: true });

  test("get their share from when the name stands for them, until it does not; no request is lost", async () => {
    const { first, port } = await two();
    const answers = [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2"]];
    let seenByFirst = 0;
    const { counts, servers } = await measure(named(port, 6), {
      resolve: async () => {
        const now = answers.shift();
        if (!now) seenByFirst ||= first.seen.requests;
        return now ?? ["127.0.0.2"];
      },
    });
    expect(counts).toMatchObject({ sent: 300, answered: 300, failed: 0, unsent: 0 });
    expect(servers.map(({ address }) => address)).toEqual([`127.0.0.1:${port}`, `127.0.0.2:${port}`]);
    const [one, other] = servers.map(({ answered }) => answered);
    expect(one).toBeGreaterThan(100); // alone for 2 s, then half of 2 s
    expect(other).toBeGreaterThan(75);
    expect(first.seen.requests).toBe(seenByFirst); // none since the name left it
  });

  test("are kept while the name cannot be resolved, and one that cannot be reached is left out", async () => {
    const { port } = await two();
    const answers = [[], ["127.0.0.1", "127.0.0.3"]];
    const { counts, servers } = await measure(named(port, 3.5), {
      resolve: async () => {
        const now = answers.shift();
        if (!now) throw new Error("ENOTFOUND");
        return now;
      },
    });
    expect(counts).toMatchObject({ answered: 175, failed: 0 });
    expect(servers.map(({ answered }) => answered)).toEqual([175, ...servers.slice(1).map(() => 0)]);
  });
});

test("counts by window of the SLO what was due in it and what kept it", async () => {
  const server = await grpcServer({ delayMs: (n) => (n % 10 === 0 ? 80 : 2), hang: (n) => n === 42 });
  running.push(server);
  const asked = experiment("v2-grpc", server.port, { ...rates(2), timeoutSeconds: 1 });
  const { windows, counts } = await runPart({ ...asked, slo: { p99Ms: 60, windowSeconds: 0.5 } });
  expect(windows!.map(({ due }) => due)).toEqual([25, 25, 25, 25]);
  expect(counts).toMatchObject({ sent: 100, answered: 99, failed: 1 });
  const kept = windows!.reduce((sum, window) => sum + window.kept, 0);
  expect(kept).toBeLessThanOrEqual(89); // every tenth takes longer, and one has no answer
  expect(kept).toBeGreaterThan(0);
});
