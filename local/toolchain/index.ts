import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../error.ts";
import { cacheDir } from "../paths.ts";
import { distribution } from "./distribution.ts";
import { explain } from "./faults.ts";
import { findGo, goTarget } from "./go.ts";
import { type ImageName, imageNames, imageTargets } from "./images.ts";
import { modelTarget } from "./model.ts";
import { cannotInstall, installPackages, missingPackages, type Purpose } from "./packages.ts";
import { Progress } from "./progress.ts";
import { officialPulumi } from "./pulumi.ts";
import { buildAll, missingTargets } from "./schedule.ts";
import { isBuilt, markUsed, type Target } from "./target.ts";

/** What a command is about to use. */
export type Need = "pulumi" | "kubernetes" | "model" | ImageName;

/** Where everything is. A path exists when it was among the needs. */
export interface Toolchain {
  /** Path of the executable. */
  readonly pulumi: string;
  /** Whether that is the user's own official installation (with version), or was built here. */
  readonly officialPulumi?: string;
  /** Folder with kubectl, kube-apiserver, kubelet, kube-controller-manager, kube-scheduler, kube-proxy, etcd. */
  readonly bin: string;
  /** References as pods name them, and the docker-archives to load them from. */
  readonly images: Readonly<Record<ImageName, { ref: string; archive: string }>>;
  /** Folder with manifest.json, repository/ and inputs/. */
  readonly model: string;
  /** PYTHONPATH of what the model was built with: openvino and numpy. */
  readonly pythonPath: string;
}

export interface Step {
  readonly id: string;
  readonly title: string;
  /** `present`: nothing to do. `official`: the machine's own is used. `missing`: would be done. */
  readonly state: "present" | "official" | "missing";
  /** Where the result is, or what is missing. */
  readonly detail: string;
  /** Seconds this takes on two cores with empty caches. */
  readonly seconds: number;
}

/** Those of the needs that are images. */
export const imagesAmong = (needs: readonly Need[]): ImageName[] =>
  imageNames.filter((name) => (needs as readonly string[]).includes(name));

interface Catalogue {
  readonly toolchain: Toolchain;
  readonly official?: { path: string; version: string };
  targets(needs: readonly Need[]): Target[];
}

function catalogue(): Catalogue {
  const release = distribution();
  const go = findGo();
  const images = imageTargets(go, release);
  const model = modelTarget(release);
  const engine = goTarget("pulumi", go);
  const kubernetes = goTarget("kubernetes", go);
  const official = officialPulumi();
  const archives = imageNames.map((name) => [name, { ref: images[name].ref, archive: images[name].path }]);
  const targetOf = (need: Need): Target[] => {
    if (need === "pulumi") return official ? [] : [engine];
    if (need === "kubernetes") return [kubernetes];
    return [need === "model" ? model : images[need]];
  };
  return {
    official,
    toolchain: {
      pulumi: official?.path ?? join(engine.path, "pulumi"),
      officialPulumi: official?.version,
      bin: kubernetes.path,
      images: Object.fromEntries(archives),
      model: model.path,
      pythonPath: model.pythonPath,
    },
    targets: (needs) => [...new Set(needs)].flatMap(targetOf).sort((a, b) => chainSeconds(b) - chainSeconds(a)),
  };
}

/** Seconds from nothing to this target: the longest chain starts first, or everything would wait for it in the end. */
const chainSeconds = (target: Target): number => target.seconds + Math.max(0, ...target.needs.map(chainSeconds));

/** Debian packages that are missing for building these targets and running what was asked for. */
function packagesFor(needs: readonly Need[], todo: readonly Target[]): string[] {
  const running: Purpose[] =
    needs.includes("kubernetes") || imagesAmong(needs).length > 0 ? ["base", "cluster"] : ["base"];
  if (needs.includes("registry")) running.push("push");
  return missingPackages(new Set([...running, ...todo.flatMap((target) => target.packages)]));
}

/** What `ensure` would do, without doing anything: what is there and what is missing, in the order of building. */
export async function plan(needs: readonly Need[]): Promise<Step[]> {
  const { targets, official } = catalogue();
  const wanted = targets(needs);
  const todo = missingTargets(wanted);
  const packages = packagesFor(needs, todo);
  const present = wanted.filter(isBuilt);
  return [
    {
      id: "packages",
      title: "Debian packages",
      state: packages.length ? "missing" : "present",
      detail: packages.join(" "),
      seconds: packages.length ? 30 : 0,
    },
    ...(needs.includes("pulumi") && official
      ? [
          {
            id: "go:pulumi",
            title: `Pulumi ${official.version}`,
            state: "official" as const,
            detail: official.path,
            seconds: 0,
          },
        ]
      : []),
    ...present.map((t) => ({ id: t.id, title: t.title, state: "present" as const, detail: t.path, seconds: 0 })),
    ...todo.map((t) => ({ id: t.id, title: t.title, state: "missing" as const, detail: t.path, seconds: t.seconds })),
  ];
}

/**
 * Installs and builds what is missing of `needs`, independent steps side by side, and says where everything is. Can be
 * killed at any moment and called by several processes at once.
 *
 * @throws UserError before anything is started when root or disk space is missing; otherwise naming the step that failed
 */
export async function ensure(needs: readonly Need[]): Promise<Toolchain> {
  const { targets, toolchain } = catalogue();
  const wanted = targets(needs);
  await ensureTargets(wanted, packagesFor(needs, missingTargets(wanted)));
  return toolchain;
}

/** Installs and builds what is missing of targets that are in no command's catalogue, such as the tools of a bench. */
export async function ensureTargets(
  wanted: readonly Target[],
  packages: readonly string[] = packagesFor([], missingTargets(wanted)),
): Promise<void> {
  const todo = missingTargets(wanted);
  for (const target of wanted) markUsed(target);
  if (todo.length === 0 && packages.length === 0) return;
  checkBefore(todo, packages);

  const packageStep = {
    id: "packages",
    title: `Debian packages ${packages.join(" ")}`,
    seconds: 30,
    lane: "other" as const,
  };
  const progress = new Progress([...(packages.length ? [packageStep] : []), ...todo]);
  try {
    if (packages.length) {
      progress.start(packageStep.id);
      await installPackages(packages, (line) => progress.line(packageStep.id, line)).catch((error) => {
        progress.fail(packageStep.id);
        throw explain({ ...packageStep, title: "Debian packages", registry: "Debian packages" }, error);
      });
      progress.done(packageStep.id);
    }
    await buildAll(todo, progress);
  } finally {
    progress.stop();
  }
}

/** What would stop the work half-way is said before it starts. */
function checkBefore(todo: readonly Target[], packages: readonly string[]): void {
  cannotInstall(packages);
  if (process.getuid?.() !== 0 && todo.some((target) => target.packages.includes("images"))) {
    throw new UserError(
      "Building the cluster's images needs root, and this is not root.",
      "Run the same command as root, for instance with sudo -E.",
    );
  }
  mkdirSync(cacheDir, { recursive: true });
  const needed = todo.reduce((sum, target) => sum + target.megabytes, 0);
  const { bavail, bsize } = statfsSync(cacheDir);
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  if (free < needed) {
    const gib = (megabytes: number) => (megabytes / 1024).toFixed(1);
    throw new UserError(
      `Not enough disk space in ${cacheDir}: ${gib(needed)} GiB are needed for what has to be built, ${gib(free)} GiB are free.`,
      "Make room, or let XDG_CACHE_HOME name a folder on a larger disk.",
    );
  }
}
