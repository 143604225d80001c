import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { clock, Progress, secondsLeft } from "../../local/toolchain/progress.ts";

const step = (id: string, seconds: number, lane: "compile" | "other" = "compile") => ({
  id,
  title: `step ${id}`,
  seconds,
  lane,
});

describe("secondsLeft", () => {
  it("is bound by the longest step or by the sum over the lane's places, whichever is more", () => {
    expect(secondsLeft([step("a", 100), step("b", 20)], new Map())).toBe(100);
    expect(secondsLeft([step("a", 100), step("b", 90), step("c", 80)], new Map())).toBe(135);
  });
  it("counts lanes beside each other and running steps by what is left of them", () => {
    const todo = [step("a", 100), step("b", 30, "other")];
    expect(secondsLeft(todo, new Map([["a", 60]]))).toBe(40);
    expect(secondsLeft(todo, new Map([["a", 90]]))).toBe(30);
  });
  it("never says that a step which runs late is done", () => {
    expect(secondsLeft([step("a", 10)], new Map([["a", 500]]))).toBe(5);
    expect(secondsLeft([], new Map())).toBe(0);
  });
});

describe("Progress", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("prints lines with times where there is no terminal", () => {
    const written: string[] = [];
    const progress = new Progress([step("a", 100), step("b", 10)], { write: (text) => written.push(text) });
    progress.start("a");
    vi.advanceTimersByTime(61_000);
    progress.done("a");
    progress.stop();
    expect(written[0]).toBe("[ 0:00] start  step a\n");
    expect(written[1]).toMatch(/^\[ 1:00\] 0 of 2 done, about 0:40 left; running: step a 1:00\n$/);
    expect(written[2]).toBe("[ 1:01] done   step a (1:01)\n");
    expect(written.join("")).not.toContain("\x1b");
  });

  it("redraws in place on a terminal, never wider than it, and leaves only what is done", () => {
    const written: string[] = [];
    const progress = new Progress([step("a", 100)], { isTTY: true, columns: 40, write: (text) => written.push(text) });
    progress.start("a");
    progress.line("a", `\x1b[32m${"downloading ".repeat(20)}\x1b[0m`);
    vi.advanceTimersByTime(400);
    const drawn = written.join("");
    expect(drawn).toContain("step a  downloading");
    expect(drawn).toContain("\x1b[2A\x1b[J");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: cursor movements are what is looked at
    for (const line of drawn.split("\n")) expect(line.replace(/\x1b\[\d*[AJ]/g, "").length).toBeLessThan(40);
    progress.done("a");
    progress.stop();
    expect(written.at(-1)).toBe("[ 0:00] done   step a (0:00)\n");
  });

  it("shows minutes and seconds", () =>
    expect([0, 9.9, 75, 3600].map(clock)).toEqual(["0:00", "0:09", "1:15", "60:00"]));
});
