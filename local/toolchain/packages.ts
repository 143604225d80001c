import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { UserError } from "../../error.ts";
import { run } from "../exec.ts";
import { withLock } from "../lock.ts";
import { cacheDir } from "../paths.ts";

/** What a package is wanted for: only what is about to be used gets installed. */
export type Purpose = "base" | "cluster" | "images" | "python" | "push" | "browser";

interface DebianPackage {
  readonly name: string;
  readonly purpose: Purpose;
  /** Commands or absolute paths it brings. Another package may bring them too (Docker's containerd.io has containerd and runc). */
  readonly provides: readonly string[];
}

/** Every Debian package the embedded cluster and its builds use. */
export const packages: readonly DebianPackage[] = [
  { name: "util-linux", purpose: "base", provides: ["flock", "setpriv", "nsenter", "unshare"] },
  { name: "ca-certificates", purpose: "base", provides: ["/etc/ssl/certs/ca-certificates.crt"] },
  { name: "containerd", purpose: "cluster", provides: ["containerd", "ctr", "containerd-shim-runc-v2"] },
  { name: "runc", purpose: "cluster", provides: ["runc"] },
  {
    name: "containernetworking-plugins",
    purpose: "cluster",
    provides: ["/usr/lib/cni/bridge", "/usr/lib/cni/host-local"],
  },
  { name: "iptables", purpose: "cluster", provides: ["iptables"] },
  { name: "conntrack", purpose: "cluster", provides: ["conntrack"] },
  { name: "iproute2", purpose: "cluster", provides: ["ip"] },
  { name: "procps", purpose: "cluster", provides: ["sysctl"] },
  { name: "mount", purpose: "cluster", provides: ["mount", "umount"] },
  { name: "openssl", purpose: "cluster", provides: ["openssl"] },
  { name: "numactl", purpose: "cluster", provides: ["numactl"] },
  { name: "buildah", purpose: "images", provides: ["buildah"] },
  { name: "mmdebstrap", purpose: "images", provides: ["mmdebstrap"] },
  { name: "catatonit", purpose: "images", provides: ["/usr/bin/catatonit"] },
  { name: "skopeo", purpose: "push", provides: ["skopeo"] },
  { name: "python3", purpose: "python", provides: ["/usr/bin/python3"] },
  { name: "python3-pip", purpose: "python", provides: ["/usr/lib/python3/dist-packages/pip/__init__.py"] },
  { name: "chromium", purpose: "browser", provides: ["chromium"] },
];

/** Administration commands are often left out of a user's PATH. */
const searchPath = () =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/bin", "/sbin", "/bin"].filter(Boolean);

/** Path of an executable, or nothing. */
export function which(command: string): string | undefined {
  for (const folder of searchPath()) {
    const path = join(folder, command);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

const isThere = (thing: string) => (thing.startsWith("/") ? existsSync(thing) : which(thing) !== undefined);

export function missingPackages(purposes: ReadonlySet<Purpose>): string[] {
  return packages.filter((p) => purposes.has(p.purpose) && !p.provides.every(isThere)).map((p) => p.name);
}

/**
 * Installs Debian packages. Never removes one for it, and takes only what they need, not what they recommend.
 *
 * @throws UserError naming what to install by hand when this machine has no apt or this user may not use it
 */
export async function installPackages(names: readonly string[], onLine?: (line: string) => void): Promise<void> {
  if (names.length === 0) return;
  cannotInstall(names);
  const log = join(cacheDir, "logs", "packages.log");
  mkdirSync(dirname(log), { recursive: true });
  const apt = (...args: string[]) =>
    run("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
      detached: true, // a Ctrl-C must not stop dpkg half-way
      onLine,
      log,
    });
  await withLock(join(cacheDir, "locks", "packages.lock"), async () => {
    if ((await run("dpkg", ["--audit"])).trim()) await run("dpkg", ["--configure", "-a"], { onLine, detached: true });
    // A source of another vendor that does not answer must not stop us; if a package is then missing, install says so.
    const update = await apt("update").then(
      () => undefined,
      (error: Error) => error,
    );
    await apt("install", "--no-install-recommends", "--no-remove", ...names).catch((error) => {
      throw update ?? error;
    });
  });
}

/** Says before anything is started that packages are missing which this user cannot install. */
export function cannotInstall(names: readonly string[]): void {
  if (names.length === 0) return;
  if (!which("apt-get")) {
    throw new UserError(
      `This machine has no apt-get, and these programs are missing: ${names.join(", ")} (names of the Debian packages).`,
      "Install them with this machine's package manager, then run the same command again.",
    );
  }
  if (process.getuid?.() !== 0) {
    throw new UserError(
      `Debian packages are missing and only root may install them: ${names.join(", ")}.`,
      `Run as root: apt-get update && apt-get install --no-install-recommends ${names.join(" ")}`,
    );
  }
}
