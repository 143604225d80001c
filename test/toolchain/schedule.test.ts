import { rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Target } from "../../local/toolchain/target.ts";
import { emptyCache, target } from "./fixture.ts";

let cache: string;
let schedule: typeof import("../../local/toolchain/schedule.ts");
const quiet = { start: () => {}, line: () => {}, done: () => {}, fail: () => {} };

beforeEach(async () => {
  cache = emptyCache();
  vi.stubEnv("XDG_CACHE_HOME", cache);
  vi.resetModules();
  schedule = await import("../../local/toolchain/schedule.ts");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

const built =
  (log: string[]) =>
  (id: string, needs: readonly Target[] = []) =>
    target(
      cache,
      id,
      async (job) => {
        log.push(id);
        writeFileSync(job.out, id);
      },
      needs,
    );

describe("missingTargets", () => {
  it("lists inputs before what is made of them, each once", () => {
    const make = built([]);
    const base = make("base");
    const [a, b] = [make("a", [base]), make("b", [base])];
    expect(schedule.missingTargets([a, b]).map((t) => t.id)).toEqual(["base", "a", "b"]);
  });

  it("does not ask for the inputs of what is there", async () => {
    const make = built([]);
    const base = make("base");
    const a = make("a", [base]);
    await schedule.buildAll(schedule.missingTargets([a]), quiet);
    rmSync(base.path);
    expect(schedule.missingTargets([a])).toEqual([]);
    rmSync(a.path);
    expect(schedule.missingTargets([a]).map((t) => t.id)).toEqual(["base", "a"]);
  });
});

describe("buildAll", () => {
  it("builds inputs first", async () => {
    const log: string[] = [];
    const make = built(log);
    const base = make("base");
    await schedule.buildAll(schedule.missingTargets([make("a", [base]), make("b", [base])]), quiet);
    expect(log[0]).toBe("base");
    expect(log.slice(1).sort()).toEqual(["a", "b"]);
  });

  it("runs no more than a lane has places for", async () => {
    let running = 0;
    let most = 0;
    const busy = (id: string) =>
      target(cache, id, async (job) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 50));
        writeFileSync(job.out, "");
        running--;
      });
    await schedule.buildAll(["a", "b", "c", "d", "e"].map(busy), quiet);
    expect(most).toBe(2);
  });

  it("stops at the first failure: ends what runs, starts nothing more, and names the step", async () => {
    const log: string[] = [];
    const slow = target(cache, "slow", async (job) => {
      await job.run("sleep", ["60"]);
      writeFileSync(job.out, "");
    });
    const broken = target(
      cache,
      "broken",
      async (job) => void (await job.run("sh", ["-c", "echo the reason; exit 1"])),
    );
    const after = built(log)("after", [broken]);
    const began = Date.now();
    await expect(schedule.buildAll([slow, broken, after], quiet)).rejects.toThrow(
      /"step broken" failed[\s\S]*the reason/,
    );
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(log).toEqual([]);
    expect(schedule.missingTargets([slow]).length).toBe(1);
  }, 30_000);
});
