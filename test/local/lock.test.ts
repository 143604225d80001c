import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withLock } from "../../local/lock.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lock-"));
  file = join(folder, "lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("withLock", () => {
  it("lets one at a time in, and says when it waits", async () => {
    const events: string[] = [];
    const enter = (name: string) =>
      withLock(
        file,
        async () => {
          events.push(`${name} in`);
          await sleep(600);
          events.push(`${name} out`);
        },
        () => events.push(`${name} waits`),
      );
    const first = enter("a");
    await sleep(200);
    await Promise.all([first, enter("b")]);
    expect(events).toEqual(["a in", "b waits", "a out", "b in", "b out"]);
  });

  it("is free again after the work failed", async () => {
    await expect(withLock(file, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await withLock(file, async () => "in")).toBe("in");
  });

  it("is free again after its holder was killed", async () => {
    const script = `const { withLock } = await import(process.argv[1]); await withLock(process.argv[2], () => { console.log("in"); return new Promise((r) => setTimeout(r, 60000)); });`;
    const module = join(import.meta.dirname, "../../local/lock.ts");
    const holder = spawn(process.execPath, ["--input-type=module", "-e", script, module, file]);
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    holder.kill("SIGKILL");
    expect(await withLock(file, async () => "in")).toBe("in");
  });
});
