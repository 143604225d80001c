import { readFileSync } from "node:fs";
import { UserError } from "../../error.ts";
import { run } from "../exec.ts";

export interface Distribution {
  /** `debian`, `ubuntu`. */
  readonly id: string;
  /** Code name of the release: `bookworm`. */
  readonly codename: string;
}

/** Which Debian or Ubuntu this is; images take their packages from the same release. */
export function distribution(osRelease: string = readOsRelease()): Distribution {
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(osRelease)?.[1] ?? "";
  return { id: field("ID") || "linux", codename: field("VERSION_CODENAME") };
}

function readOsRelease(): string {
  try {
    return readFileSync("/etc/os-release", "utf8");
  } catch {
    return "";
  }
}

/** Version of the release's own Python, such as `3.11`: what its libpython package is called after. */
export async function systemPython(): Promise<string> {
  const version = (await run("/usr/bin/python3", ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])).trim();
  // Older: no OpenVINO of today. Newer: no NumPy 1, which is the one that Triton's Python backend understands.
  if (version !== "3.11" && version !== "3.12") {
    throw new UserError(
      `This machine's /usr/bin/python3 is Python ${version}; the model server's packages exist for 3.11 and 3.12.`,
      "Use Debian 12 or Ubuntu 24.04.",
    );
  }
  return version;
}

/**
 * The machine's own package sources for this release, as one-line `deb` entries. Sources of other vendors are left out.
 *
 * @param targets output of `apt-get indextargets`: blocks of `Name: value` lines
 */
export function debianSources(targets: string, { id, codename }: Distribution): string[] {
  const releases = new Set([codename, `${codename}-updates`, `${codename}-security`]);
  const sources = targets.split("\n\n").flatMap((block) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1]?.trim() ?? "";
    const origin = field("Origin").toLowerCase(); // known once the lists were fetched
    if (!releases.has(field("Release")) || (origin && origin !== id)) return [];
    return [
      `deb [signed-by=/usr/share/keyrings/${id}-archive-keyring.gpg] ${field("Repo-URI")} ${field("Release")} ${field("Component")}`,
    ];
  });
  return [...new Set(sources)];
}

/** How this machine reaches its package servers, and nothing else of its apt configuration. */
export function reachOptions(aptConfig: string): string {
  return aptConfig
    .split("\n")
    .filter((line) => /^Acquire::(https?|ForceIPv[46]|Retries|Check-Valid-Until)/i.test(line))
    .join("\n");
}

/** What mmdebstrap needs: sources and settings of this machine's apt. */
export async function aptOfThisMachine(release: Distribution): Promise<{ sources: string; options: string }> {
  const sources = debianSources(await run("apt-get", ["indextargets", "Created-By: Packages"]), release);
  if (sources.length === 0) {
    throw new UserError(
      `apt on this machine has no package source for its own release (${release.id} ${release.codename || "unknown"}).`,
      "Images are built from the release's packages: add its main archive to /etc/apt/sources.list.d, then run the same command again.",
    );
  }
  return { sources: `${sources.join("\n")}\n`, options: `${reachOptions(await run("apt-config", ["dump"]))}\n` };
}
