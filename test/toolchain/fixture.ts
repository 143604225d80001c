import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Job, Target } from "../../local/toolchain/target.ts";

/** An empty folder for a cache of its own. */
export const emptyCache = (): string => mkdtempSync(join(tmpdir(), "toolchain-"));

/** A target whose result is one file under `cache`. */
export function target(
  cache: string,
  id: string,
  build: (job: Job) => Promise<void>,
  needs: readonly Target[] = [],
): Target {
  return {
    id,
    title: `step ${id}`,
    path: join(cache, "out", id),
    needs,
    packages: [],
    lane: "other",
    seconds: 1,
    megabytes: 1,
    build,
  };
}
