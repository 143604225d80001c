import { join, relative } from "node:path";
import { cacheDir, checkout } from "../paths.ts";
import type { Distribution } from "./distribution.ts";
import { hashable } from "./images.ts";
import { pythonTarget } from "./python.ts";
import { key, type Target } from "./target.ts";

export interface ModelTarget extends Target {
  /** Folders for PYTHONPATH in which `openvino` and `numpy` can be imported. */
  readonly pythonPath: string;
}

/** The folder with the model repository, the request tensors and `manifest.json`; see images/model/build.py. */
export function modelTarget(release: Distribution): ModelTarget {
  const source = join(checkout, "images", "model");
  const serving = pythonTarget("triton", release, 25); // the OpenVINO that converts is the one that serves
  const sources = pythonTarget("model", release, 20);
  const pythonPath = [serving.path, sources.path].join(":");
  return {
    id: "model",
    title: "model repository and request tensors",
    path: join(
      cacheDir,
      "model",
      key(...hashable(source), relative(cacheDir, serving.path), relative(cacheDir, sources.path)),
    ),
    pythonPath,
    needs: [serving, sources],
    packages: ["base", "python"],
    lane: "other",
    seconds: 15,
    megabytes: 100,
    async build(job) {
      const env = { ...process.env, PYTHONPATH: pythonPath, PYTHONDONTWRITEBYTECODE: "1" };
      await job.run("/usr/bin/python3", [join(source, "build.py"), job.out], { env });
    },
  };
}
