import { cpSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { cacheDir, checkout } from "../paths.ts";
import { aptOfThisMachine, type Distribution, systemPython } from "./distribution.ts";
import { type Go, type GoModuleName, goTarget } from "./go.ts";
import { pythonTarget } from "./python.ts";
import { type Job, key, type Target } from "./target.ts";

export const imageNames = [
  "pause",
  "coredns",
  "minio",
  "node",
  "triton",
  "mlserver",
  "seldon-operator",
  "training-operator",
  "training",
  "locust",
  "metrics-server",
  "registry",
  "istiod",
  "envoy",
] as const;
export type ImageName = (typeof imageNames)[number];

/** The Node that programs inside the cluster run on. */
const NODE = "24.21.0";

export interface ImageTarget extends Target {
  readonly ref: string;
}

/** Every image by name; none is built before it is asked for. */
export function imageTargets(go: Go, release: Distribution): Readonly<Record<ImageName, ImageTarget>> {
  const base = baseTarget(release);
  const node = nodeTarget();
  const wheels = pythonTarget("triton", release, 25);
  const mlserver = pythonTarget("mlserver", release, 25);
  const tensorflow = pythonTarget("training", release, 60);
  const locust = pythonTarget("locust", release, 15);
  const envoy = pythonTarget("envoy", release, 10);
  const registry = goTarget("registry", go);
  const fromGo = (name: GoModuleName & ImageName) => {
    const program = goTarget(name, go);
    return image({
      name,
      needs: [program],
      seconds: 10,
      megabytes: 400,
      inputs: { [name]: () => join(program.path, name) },
    });
  };
  return {
    pause: image({
      name: "pause",
      needs: [],
      release,
      seconds: 5,
      megabytes: 20,
      inputs: { catatonit: () => "/usr/bin/catatonit" },
    }),
    coredns: fromGo("coredns"),
    minio: fromGo("minio"),
    "seldon-operator": fromGo("seldon-operator"),
    "training-operator": fromGo("training-operator"),
    training: image({
      name: "training",
      needs: [base, tensorflow],
      release,
      seconds: 90,
      megabytes: 4000,
      inputs: {
        "base.tar": () => base.path,
        python3: () => realpathSync("/usr/bin/python3"),
        python: () => tensorflow.path,
      },
      async finish(job, context) {
        await compile(job, join(context, "python"), "/opt/py");
        return [];
      },
    }),
    locust: image({
      name: "locust",
      needs: [base, locust],
      release,
      seconds: 30,
      megabytes: 800,
      inputs: {
        "base.tar": () => base.path,
        python3: () => realpathSync("/usr/bin/python3"),
        python: () => locust.path,
      },
      async finish(job, context) {
        await compile(job, join(context, "python"), "/opt/py");
        return [];
      },
    }),
    "metrics-server": fromGo("metrics-server"),
    registry: image({
      name: "registry",
      needs: [base, registry],
      seconds: 10,
      megabytes: 500,
      inputs: { "base.tar": () => base.path, registry: () => join(registry.path, "registry") },
    }),
    istiod: fromGo("istiod"),
    envoy: image({
      name: "envoy",
      needs: [base, envoy],
      seconds: 15,
      megabytes: 900,
      inputs: { "base.tar": () => base.path, envoy: () => join(envoy.path, "envoy", "_bin", "envoy") },
    }),
    node: image({
      name: "node",
      needs: [base, node],
      seconds: 15,
      megabytes: 600,
      inputs: { "base.tar": () => base.path, node: () => node.path },
    }),
    triton: image({
      name: "triton",
      needs: [base, wheels],
      seconds: 40,
      megabytes: 1800,
      inputs: { "base.tar": () => base.path, python: () => wheels.path },
      async finish(job, context) {
        await compile(job, join(context, "python"), "/opt/py");
        return ["--build-arg", `PYTHON=${await systemPython()}`];
      },
    }),
    mlserver: image({
      name: "mlserver",
      needs: [base, wheels, mlserver],
      release,
      seconds: 50,
      megabytes: 1800,
      inputs: {
        "base.tar": () => base.path,
        python3: () => realpathSync("/usr/bin/python3"),
        python: () => wheels.path,
        packages: () => mlserver.path,
      },
      async finish(job, context) {
        await compile(job, join(context, "python"), "/opt/py");
        await compile(job, join(context, "packages"), "/opt/mlserver");
        return [];
      },
    }),
  };
}

/** Adds the byte code of a folder of packages that an image has as `place`; checked by hash because layers lose times. */
async function compile(job: Job, folder: string, place: string): Promise<void> {
  const how = ["-q", "-j1", "--invalidation-mode", "unchecked-hash", "-s", folder, "-p", place];
  // A package may carry files for another Python, which are never imported.
  await job.run("/usr/bin/python3", ["-m", "compileall", ...how, folder]).catch(() => {});
}

interface ImageDefinition {
  readonly name: ImageName;
  readonly needs: readonly Target[];
  /** Set when an input comes from a package of this machine's release. */
  readonly release?: Distribution;
  readonly seconds: number;
  readonly megabytes: number;
  /** Files and folders laid beside the Containerfile, by their name there. */
  readonly inputs: Readonly<Record<string, () => string>>;
  /** Completes the build context; returns further arguments of the build. */
  finish?(job: Job, context: string): Promise<readonly string[]>;
}

/** An image of our own: `images/NAME` with built inputs laid beside its Containerfile, as a docker-archive. */
function image(definition: ImageDefinition): ImageTarget {
  const { name, needs, seconds, megabytes } = definition;
  const source = join(checkout, "images", name);
  const inputKeys = needs.map((input) => relative(cacheDir, input.path));
  const id = key(...hashable(source), ...inputKeys, JSON.stringify(definition.release ?? {}), process.arch);
  const ref = `localhost/inference-stack/${name}:${id}`;
  return {
    id: `image:${name}`,
    title: `image ${name}`,
    path: join(cacheDir, "images", `${name}-${id}.tar`),
    ref,
    needs,
    packages: ["base", "images"],
    lane: "other",
    seconds,
    megabytes,
    async build(job) {
      const context = join(job.work, "context");
      cpSync(source, context, { recursive: true });
      for (const [file, path] of Object.entries(definition.inputs))
        await job.run("cp", ["-a", "--reflink=auto", path(), join(context, file)]);
      const extra = (await definition.finish?.(job, context)) ?? [];
      // Storage of its own, thrown away afterwards: the user's images and containers are never touched.
      const buildah = (...args: string[]) =>
        job.run("buildah", [
          "--root",
          join(job.work, "storage"),
          "--runroot",
          join(job.work, "run"),
          "--storage-driver",
          "vfs",
          ...args,
        ]);
      await buildah("build", "--quiet", "--isolation", "chroot", "--timestamp", "0", ...extra, "--tag", ref, context);
      rmSync(context, { recursive: true });
      await buildah("push", "--quiet", ref, `docker-archive:${job.out}:${ref}`);
    },
  };
}

function baseTarget(release: Distribution): Target {
  const source = join(checkout, "images", "base");
  const id = key(...hashable(source), release.id, release.codename, process.arch);
  return {
    id: "base",
    title: "Debian base of the images",
    path: join(cacheDir, "images", `base-${id}.tar`),
    needs: [],
    packages: ["base", "images", "python"],
    registry: "Debian packages",
    lane: "other",
    seconds: 60,
    megabytes: 400,
    async build(job) {
      const { sources, options } = await aptOfThisMachine(release);
      const settings = join(job.work, "apt.conf");
      writeFileSync(settings, options, { mode: 0o600 }); // may hold a proxy's password
      await job.run(
        "sh",
        [join(source, "build.sh"), job.out, job.work, release.codename, settings, await systemPython()],
        { input: sources },
      );
    },
  };
}

function nodeTarget(): Target {
  const name = `node-linux-${process.arch}`;
  return {
    id: "node",
    title: `Node ${NODE} for the images`,
    path: join(cacheDir, "images", `node-${NODE}-${process.arch}`),
    needs: [],
    packages: ["base"],
    registry: "npm",
    lane: "other",
    seconds: 20,
    megabytes: 400,
    async build(job) {
      const flags = [
        "--loglevel",
        "error",
        "--prefer-offline",
        "--ignore-scripts",
        "--no-save",
        "--no-audit",
        "--no-fund",
      ];
      await job.run("npm", ["install", ...flags, "--prefix", job.work, `${name}@${NODE}`], { cwd: job.work });
      await job.run("mv", [join(job.work, "node_modules", name, "bin", "node"), job.out]);
    },
  };
}

/** Names and contents of a folder's files, in a fixed order. */
export function hashable(folder: string): Buffer[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file) => [Buffer.from(relative(folder, file)), readFileSync(file)]);
}
