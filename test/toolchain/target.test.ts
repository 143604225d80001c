import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { emptyCache, target } from "./fixture.ts";

let cache: string;
let targets: typeof import("../../local/toolchain/target.ts");

beforeEach(async () => {
  cache = emptyCache();
  vi.stubEnv("XDG_CACHE_HOME", cache);
  vi.resetModules();
  targets = await import("../../local/toolchain/target.ts");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

describe("key", () => {
  it("changes with any input, with their order and with where one ends and the next begins", () => {
    const { key } = targets;
    const keys = [key("a", "b"), key("b", "a"), key("ab"), key("ab", ""), key("a", "b", ""), key("a")];
    expect(new Set(keys).size).toBe(keys.length);
    expect(key("a", "b")).toBe(key(Buffer.from("a"), "b"));
    expect(key("a")).toMatch(/^[0-9a-f]{12}$/);
  });
});

describe("make", () => {
  it("builds once and finds the result afterwards", async () => {
    let builds = 0;
    const thing = target(cache, "thing", async (job) => {
      builds++;
      writeFileSync(job.out, "whole");
    });
    await targets.make(thing);
    await targets.make(thing);
    expect(readFileSync(thing.path, "utf8")).toBe("whole");
    expect(builds).toBe(1);
  });

  it("leaves nothing behind when a build fails half-way, and the next one is whole", async () => {
    let fails = true;
    const thing = target(cache, "thing", async (job) => {
      mkdirSync(job.out);
      writeFileSync(join(job.out, "first"), "1");
      if (fails) throw new Error("broken off");
      writeFileSync(join(job.out, "second"), "2");
    });
    await expect(targets.make(thing)).rejects.toThrow("broken off");
    expect(existsSync(thing.path)).toBe(false);
    expect(readdirSync(join(cache, "inference-stack", "tmp"))).toEqual([]);
    fails = false;
    await targets.make(thing);
    expect(readdirSync(thing.path)).toEqual(["first", "second"]);
  });

  it("does not take an empty folder for a result", async () => {
    const thing = target(cache, "thing", async (job) => mkdirSync(job.out));
    await expect(targets.make(thing)).rejects.toThrow("without a result");
    expect(existsSync(thing.path)).toBe(false);
  });

  it("passes on what a failing command said, and keeps all of it in the log", async () => {
    const thing = target(cache, "thing", async (job) => void (await job.run("sh", ["-c", "echo reason >&2; exit 3"])));
    await expect(targets.make(thing)).rejects.toThrow(/^sh ended with exit code 3[\s\S]*reason/);
    await vi.waitFor(() => expect(readFileSync(targets.logFile(thing), "utf8")).toBe("reason\n"));
  });

  it("tidies away results of other inputs once they have not been used for weeks, and no others", async () => {
    const path = (name: string) => join(cache, "out", name);
    mkdirSync(path(""), { recursive: true });
    const old = new Date(Date.now() - 30 * 86_400_000);
    for (const name of ["thing-aaaaaaaaaaaa", "other-bbbbbbbbbbbb", "thing-notes"]) {
      writeFileSync(path(name), "");
      utimesSync(path(name), old, old);
    }
    writeFileSync(path("thing-cccccccccccc"), "used yesterday");
    const thing = {
      ...target(cache, "thing", async (job) => writeFileSync(job.out, "")),
      path: path("thing-dddddddddddd"),
    };
    await targets.make(thing);
    expect(readdirSync(path("")).sort()).toEqual([
      "other-bbbbbbbbbbbb",
      "thing-cccccccccccc",
      "thing-dddddddddddd",
      "thing-notes",
    ]);
  });
});

describe("processes", () => {
  const children: ChildProcess[] = [];
  const start = (how: "hang" | "slow") => {
    const script = join(import.meta.dirname, "kill.child.ts");
    const child = spawn(process.execPath, [script, how, cache], {
      env: { ...process.env, XDG_CACHE_HOME: cache },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    return { child, lines, exited: once(child, "exit") };
  };
  const said = (lines: readonly string[], text: string) =>
    vi.waitFor(() => expect(lines).toContain(text), { timeout: 10_000 });
  const builds = () => readFileSync(join(cache, "builds"), "utf8").length;
  const result = () => join(cache, "out", "thing");
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });

  it("redoes a step that was killed half-way, and the killed one's commands end with it", async () => {
    const first = start("hang");
    await said(first.lines, "started");
    first.child.kill("SIGKILL");
    await first.exited;
    expect(existsSync(result())).toBe(false);
    await vi.waitFor(() => expect(processesNaming(cache)).toEqual([]), { timeout: 5_000 });

    const second = start("slow");
    await second.exited;
    expect(second.lines).toContain("made");
    expect(readFileSync(result(), "utf8")).toBe("whole");
    expect(readdirSync(join(cache, "inference-stack", "tmp"))).toEqual([]);
    expect(builds()).toBe(2);
  }, 30_000);

  it("builds once when two runs want the same thing at once", async () => {
    const runs = [start("slow"), start("slow"), start("slow")];
    await Promise.all(runs.map((run) => run.exited));
    for (const run of runs) expect(run.lines).toContain("made");
    expect(builds()).toBe(1);
    expect(readFileSync(result(), "utf8")).toBe("whole");
    expect(dirname(result())).toBe(join(cache, "out"));
  }, 30_000);
});

/** Command lines of running processes that contain a text. */
function processesNaming(text: string): string[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return line.includes(text) ? [line] : [];
      } catch {
        return [];
      }
    });
}
