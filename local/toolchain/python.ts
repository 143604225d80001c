import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, checkout } from "../paths.ts";
import { type Distribution, systemPython } from "./distribution.ts";
import { key, type Target } from "./target.ts";

/**
 * A folder for PYTHONPATH with the packages of `requirements` (default `images/NAME/requirements.txt`), for the release's
 * own Python. Only wheels, only what is listed: a dependency that is not imported is not downloaded.
 */
export function pythonTarget(
  name: string,
  release: Distribution,
  seconds: number,
  requirements = join(checkout, "images", name, "requirements.txt"),
): Target {
  const id = key(readFileSync(requirements), release.id, release.codename, process.arch);
  return {
    id: `python:${name}`,
    title: `Python packages of ${name}`,
    path: join(cacheDir, "python", `${name}-${id}`),
    needs: [],
    packages: ["base", "python"],
    registry: "PyPI",
    lane: "other",
    seconds,
    megabytes: 500,
    async build(job) {
      await systemPython();
      await job.run("/usr/bin/python3", [
        ...[
          "-m",
          "pip",
          "install",
          "--quiet",
          "--disable-pip-version-check",
          "--root-user-action=ignore",
          "--no-deps",
          "--no-compile",
        ],
        ...["--no-cache-dir", "--only-binary=:all:", "--target", job.out, "--requirement", requirements],
      ]);
    },
  };
}
