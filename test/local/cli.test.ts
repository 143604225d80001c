import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program that prints its arguments, named as a tool of node_modules/.bin. */
const tool = join(folder, "tool.sh");
writeFileSync(tool, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });

it.each([
  [["exec", "-n", "inference-dev", "server-0", "--", "sh", "-c", "echo $0", "--", "x"]],
  [["-n", "inference-dev", "exec", "server-0", "--", "cat"]],
  [["get", "pods", "-A", "--help", "-s", "dev"]],
])("hands arguments on as they are: %s", (args) => {
  const name = relative(resolve("node_modules/.bin"), tool);
  const { stdout, stderr } = spawnSync(process.execPath, ["local/cli.ts", "run", name, ...args], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout.trimEnd().split("\n")).toEqual(args);
});
