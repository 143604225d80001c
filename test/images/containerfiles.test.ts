import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hashable, imageNames, imageTargets } from "../../local/toolchain/images.ts";

const images = join(import.meta.dirname, "../../images");
const instructions = (name: string) =>
  readFileSync(join(images, name, "Containerfile"), "utf8")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line.trim() && !line.startsWith("#"));

describe.each(imageNames)("image %s", (name) => {
  const lines = instructions(name);

  it("runs as the numeric non-root user to the end", () => {
    const users = lines.filter((line) => line.startsWith("USER "));
    expect(users).toEqual(["USER 65532:65532"]); // a number, or Kubernetes cannot verify runAsNonRoot
    expect(lines.slice(lines.indexOf(users[0]!)).some((line) => /^(COPY|ADD|RUN)/.test(line))).toBe(false);
  });

  it("starts from nothing and fetches nothing", () => {
    expect(lines.filter((line) => line.startsWith("FROM "))).toEqual(["FROM scratch"]);
    expect(lines.filter((line) => /^RUN |https?:/.test(line))).toEqual([]);
    expect(lines.join("\n")).not.toContain("latest");
  });

  it("starts its program without a shell in between", () => {
    expect(lines.filter((line) => line.startsWith("ENTRYPOINT "))).toHaveLength(1);
    for (const line of lines.filter((l) => /^(ENTRYPOINT|CMD) /.test(l))) expect(line).toMatch(/^\w+ \[".*"\]$/);
  });
});

describe("references", () => {
  const go = { command: "go", version: "1.26.8" };
  const release = { id: "debian", codename: "bookworm" };
  const refs = (of = imageTargets(go, release)) => imageNames.map((name) => of[name].ref);

  it("are our own, with a tag that is the key of the content", () => {
    for (const ref of refs()) expect(ref).toMatch(/^localhost\/inference-stack\/[a-z-]+:[0-9a-f]{12}$/);
    expect(refs()).toEqual(refs());
  });

  it("change with the inputs they are made of", () => {
    const [before, after] = [refs(), refs(imageTargets({ ...go, version: "1.27.0" }, release))];
    const changed = imageNames.filter((_, i) => before[i] !== after[i]);
    expect(changed).toEqual([
      "coredns",
      "minio",
      "seldon-operator",
      "training-operator",
      "metrics-server",
      "registry",
      "istiod",
    ]);
    const other = refs(imageTargets(go, { id: "ubuntu", codename: "noble" }));
    expect(imageNames.filter((_, i) => before[i] !== other[i])).toEqual([
      "pause",
      "node",
      "triton",
      "mlserver",
      "training",
      "locust",
      "registry",
      "envoy",
    ]);
  });
});

describe("sources of the images", () => {
  it("hash names and contents, in the same order every time", () => {
    const once = hashable(join(images, "triton")).map(String);
    expect(once).toContain("Containerfile");
    expect(once).toContain(".containerignore");
    expect(hashable(join(images, "triton")).map(String)).toEqual(once);
  });

  it("name no registry: packages come from where this machine gets them", () => {
    const files = readdirSync(images, { recursive: true, encoding: "utf8" }).map((file) => join(images, file));
    for (const file of files.filter((f) => statSync(f).isFile() && !f.includes("__pycache__"))) {
      expect(readFileSync(file, "utf8"), file).not.toMatch(
        /https?:\/\/|debian\.org|pypi\.org|npmjs|docker\.io|ghcr\.io/,
      );
    }
  });

  it("pin every Python package to one version", () => {
    for (const name of ["triton", "mlserver", "model", "envoy"]) {
      const wanted = readFileSync(join(images, name, "requirements.txt"), "utf8")
        .split("\n")
        .filter((line) => line && !line.startsWith("#"));
      for (const line of wanted) expect(line).toMatch(/^[a-z0-9.-]+==\d+(\.\d+)+(b\d+)?$/);
    }
  });
});
