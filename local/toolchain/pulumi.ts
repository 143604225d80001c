import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { which } from "./packages.ts";

/** The engine the program's SDK belongs to. */
const WANTED = [3, 259] as const;

/** `v3.260.1` -> whether that engine serves the SDK: the same major version and not older. */
export function fits(version: string): boolean {
  const match = /^v?(\d+)\.(\d+)\.\d+/.exec(version.trim());
  return match !== null && Number(match[1]) === WANTED[0] && Number(match[2]) >= WANTED[1];
}

/** The user's own Pulumi with its Node language host, if it fits. */
export function officialPulumi(): { path: string; version: string } | undefined {
  const path = which("pulumi");
  if (!path || !(existsSync(join(dirname(path), "pulumi-language-nodejs")) || which("pulumi-language-nodejs")))
    return undefined;
  try {
    const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
    const version = execFileSync(path, ["version"], {
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 20_000,
    }).trim();
    return fits(version) ? { path, version } : undefined;
  } catch {
    return undefined;
  }
}
