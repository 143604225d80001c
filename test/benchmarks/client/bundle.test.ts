import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test, vi } from "vitest";
import { bundleClient } from "../../../benchmarks/client/bundle.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes start slowly on a busy machine

const { code, hash } = await bundleClient();

test("the bundle is the same from any folder", () => {
  const copy = join(mkdtempSync(join(tmpdir(), "another checkout ")), "deeper", "still");
  for (const folder of ["benchmarks", "bundle.ts", "error.ts", "package.json"])
    cpSync(folder, join(copy, folder), { recursive: true });
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
  const script = `const { bundleClient } = await import(${JSON.stringify(join(copy, "benchmarks/client/bundle.ts"))});
    process.stdout.write((await bundleClient()).hash);`;
  const elsewhere = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: "/",
    encoding: "utf8",
  });
  expect(elsewhere).toBe(hash);
});

test("it is small, names no folder of this machine, and brings no SDK", () => {
  expect(Buffer.byteLength(code)).toBeLessThan(1_000_000);
  expect(code).not.toContain(process.cwd());
  expect(code).not.toMatch(/node_modules|@pulumi|@aws-sdk/);
});

test("it runs alone, without any package beside it", () => {
  const file = join(mkdtempSync(join(tmpdir(), "bundle-")), "client.cjs");
  writeFileSync(file, code);
  const { status, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8", cwd: "/" });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: "Usage: node client.cjs [worker] SPEC.json INPUTS-FOLDER\n",
  });
});
