import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { debianSources, distribution, reachOptions } from "../../local/toolchain/distribution.ts";
import { findGo, goodVersion, goTarget } from "../../local/toolchain/go.ts";
import { cannotInstall, missingPackages, packages } from "../../local/toolchain/packages.ts";
import { fits } from "../../local/toolchain/pulumi.ts";

describe("Go", () => {
  it("is used from the machine when it is 1.26 or newer", () => {
    expect(goodVersion("go version go1.26.8 linux/amd64")).toBe("1.26.8");
    expect(goodVersion("go version go1.27.0 linux/arm64")).toBe("1.27.0");
    expect(goodVersion("go version go2.0 linux/amd64")).toBe("2.0");
    expect(goodVersion("go version go1.25.9 linux/amd64")).toBeUndefined();
    expect(goodVersion("go version go1.19.8 linux/amd64")).toBeUndefined();
    expect(goodVersion("nonsense")).toBeUndefined();
  });

  it("gives every module a path that depends on the version of Go and on the module", () => {
    const go = { command: "go", version: "1.26.8" };
    const path = goTarget("coredns", go).path;
    expect(goTarget("coredns", go).path).toBe(path);
    expect(goTarget("coredns", { ...go, version: "1.27.0" }).path).not.toBe(path);
    expect(goTarget("minio", go).path).not.toBe(path);
  });

  it("builds with the version the program's own go.mod pins", () => {
    const folder = join(import.meta.dirname, "../../local/toolchain/go");
    const pinned = (module: string, dependency: string) =>
      new RegExp(`\\b${dependency} (v\\S+)`).exec(readFileSync(join(folder, module, "go.mod"), "utf8"))?.[1];
    const sdk = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")).dependencies[
      "@pulumi/pulumi"
    ];
    expect(pinned("pulumi", "github.com/pulumi/pulumi/pkg/v3")).toBe(`v${sdk}`);
    expect(pinned("kubernetes", "k8s.io/kubernetes")).toBe("v1.34.10");
  });

  it("falls back to the packed release when the machine has none", () => {
    vi.stubEnv("PATH", "/nonexistent");
    const go = findGo();
    vi.unstubAllEnvs();
    if (existsSync("/usr/local/go/bin/go") || existsSync("/usr/bin/go")) return expect(go.target).toBeUndefined();
    expect(go.target?.registry).toBe("PyPI");
    expect(goTarget("coredns", go).needs).toEqual([go.target]);
  });
});

describe("an official Pulumi", () => {
  it.each([
    ["v3.259.0", true],
    ["v3.301.2", true],
    ["3.260.0-alpha.1", true],
    ["v3.258.9", false],
    ["v4.0.0", false],
    ["", false],
  ])("%s fits: %s", (version, good) => expect(fits(version)).toBe(good));
});

describe("the machine's apt", () => {
  const block = (fields: Record<string, string>) =>
    Object.entries(fields)
      .map(([k, v]) => `${k}: ${v}`)
      .join("\n");
  const targets: Record<string, string>[] = [
    {
      "Repo-URI": "http://mirror/debian/",
      Release: "bookworm",
      Component: "main",
      Origin: "Debian",
      Architecture: "amd64",
    },
    {
      "Repo-URI": "http://mirror/debian/",
      Release: "bookworm",
      Component: "main",
      Origin: "Debian",
      Architecture: "arm64",
    },
    { "Repo-URI": "http://mirror/security/", Release: "bookworm-security", Component: "main", Origin: "Debian" },
    { "Repo-URI": "http://mirror/debian/", Release: "bookworm-backports", Component: "main", Origin: "Debian" },
    { "Repo-URI": "http://vendor/", Release: "bookworm", Component: "stable", Origin: "Docker" },
    { "Repo-URI": "http://vendor/", Release: "nodistro", Component: "main", Origin: "" },
  ];

  it("gives the release's own sources, each once, and no other vendor's", () => {
    const keyring = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
    expect(debianSources(targets.map(block).join("\n\n"), { id: "debian", codename: "bookworm" })).toEqual([
      `deb ${keyring} http://mirror/debian/ bookworm main`,
      `deb ${keyring} http://mirror/security/ bookworm-security main`,
    ]);
  });

  it("gives them too before the lists were ever fetched, when their origin is unknown", () => {
    const { Origin: _, ...unknown } = targets[0]!;
    expect(debianSources(block(unknown), { id: "debian", codename: "bookworm" })).toHaveLength(1);
  });

  it("takes over how servers are reached and nothing else", () => {
    const config =
      'APT "";\nAcquire::http::Proxy "http://proxy:3128";\nAcquire::https::CAInfo "/ca";\nAcquire::cdrom::mount "/media";\nDir "/";';
    expect(reachOptions(config)).toBe('Acquire::http::Proxy "http://proxy:3128";\nAcquire::https::CAInfo "/ca";');
  });

  it("reads the release", () => {
    expect(distribution('PRETTY_NAME="Ubuntu 24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n')).toEqual({
      id: "ubuntu",
      codename: "noble",
    });
  });
});

describe("Debian packages", () => {
  it("are missing when what they bring is not there, and only for what is about to be done", () => {
    vi.stubEnv("PATH", "/nonexistent");
    const missing = missingPackages(new Set(["base", "cluster", "images", "python"]));
    vi.unstubAllEnvs();
    for (const name of missing) expect(packages.map((p) => p.name)).toContain(name);
    expect(missingPackages(new Set())).toEqual([]);
  });

  it("are asked for by name when this user may not install them", () => {
    const getuid = vi.spyOn(process as { getuid: () => number }, "getuid").mockReturnValue(1000);
    expect(() => cannotInstall(["buildah", "runc"])).toThrow(
      /buildah[\s\S]*apt-get install --no-install-recommends buildah runc/,
    );
    expect(() => cannotInstall([])).not.toThrow();
    getuid.mockRestore();
  });
});
