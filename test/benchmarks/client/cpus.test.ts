import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test, vi } from "vitest";
import { findCpusAllowed, ownCpus, parseCpuList, sameCpus } from "../../../benchmarks/client/cpus.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes start slowly on a busy machine

test("CPU lists", () => {
  expect(parseCpuList("0-2,5, 7-8")).toEqual([0, 1, 2, 5, 7, 8]);
  expect(parseCpuList("")).toEqual([]);
  expect(() => parseCpuList("0-x")).toThrow(/not a list of CPUs/);
  expect(sameCpus("0,1,2", "0-2")).toBe(true);
  expect(sameCpus("0", "0-1")).toBe(false);
});

test("the CPUs in a log are those of the last start", () => {
  const log = "starting\nCpus_allowed_list:\t0-1\nrestarted\nCpus_allowed_list: \t4,6-7\nready\n";
  expect(findCpusAllowed(log)).toBe("4,6-7");
  expect(findCpusAllowed("nothing of the kind")).toBeUndefined();
});

/** Runs a program that keeps to `cpus` and then says on which it may run. */
function keeping(cpus: string, env: NodeJS.ProcessEnv = {}) {
  const program = join(mkdtempSync(join(tmpdir(), "pin-")), "program.mjs");
  writeFileSync(
    program,
    `import { keepTo, ownCpus } from ${JSON.stringify(resolve("benchmarks/client/cpus.ts"))};
    try { keepTo(process.argv[2]); } catch (error) { console.log(error.message); process.exit(1); }
    console.log(process.pid, ownCpus());`,
  );
  const { status, stdout, stderr, pid } = spawnSync(process.execPath, [program, cpus], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, stdout: stdout.replace(`${pid} `, "same process, "), stderr };
}

test("the client pins itself in its own place", () => {
  const last = String(parseCpuList(ownCpus()).at(-1));
  expect(keeping(last)).toEqual({ status: 0, stdout: `same process, ${last}\n`, stderr: "" });
  expect(keeping(ownCpus())).toMatchObject({ status: 0, stdout: `same process, ${ownCpus()}\n` });
});

test("CPUs that it may not use are one sentence; pinning in vain is not tried for ever", () => {
  expect(keeping("4000").stdout).toBe(
    `The client is to keep to CPUs 4000, but it may only use ${ownCpus()} (not 4000).\n`,
  );
  expect(keeping("4000", { CLIENT_PINNED: "1" })).toMatchObject({ status: 0 });
});
