import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareSync } from "bcryptjs";
import { afterAll, describe, expect, it } from "vitest";
import { dockerConfig } from "../../../components/storage/registry/dockerConfig.ts";
import { htpasswdLine } from "../../../components/storage/registry/htpasswd.ts";
import { registryConfig, registryPod } from "../../../components/storage/registry/pod.ts";
import { pushImage } from "../../../components/storage/registry/push.ts";
import { hostsToml } from "../../../components/storage/registry/registry.ts";
import { run } from "../../../local/exec.ts";

const folder = mkdtempSync(join(tmpdir(), "registry-"));
afterAll(() => rmSync(folder, { recursive: true }));
const HOST = "registry.place.svc.cluster.local:5000";

describe("a registry's password", () => {
  it("is kept as a bcrypt hash, the same one every time", () => {
    const line = htpasswdLine("someone", "a password");
    expect(line).toMatch(/^someone:\$2b\$05\$[./A-Za-z0-9]{53}\n$/);
    expect(htpasswdLine("someone", "a password")).toBe(line);
    const hash = line.trim().slice("someone:".length);
    expect(compareSync("a password", hash)).toBe(true);
    expect(compareSync("another", hash)).toBe(false);
    expect(htpasswdLine("someone", "another").slice(0, 38)).not.toBe(line.slice(0, 38)); // a salt of its own
  });

  it("is what containerd and skopeo are told for this host and no other", () => {
    const { auths } = JSON.parse(dockerConfig(HOST, "someone", "a:password"));
    expect(Object.keys(auths)).toEqual([HOST]);
    expect(Buffer.from(auths[HOST].auth, "base64").toString()).toBe("someone:a:password");
  });
});

describe("a node's settings", () => {
  const program = (what: string) =>
    run(process.execPath, ["components/storage/registry/trust.ts", what], {
      env: {
        ...process.env,
        HOST,
        FOLDERS: JSON.stringify([join(folder, "node1"), join(folder, "node2")]),
        FILES: JSON.stringify({ "hosts.toml": hostsToml("https://10.96.0.7:5000"), "ca.crt": "PEM" }),
      },
    });

  it("are written for every node, where containerd finds the authority from anywhere, and removed", async () => {
    await program("write");
    await program("write");
    for (const node of ["node1", "node2"]) {
      const own = join(folder, node, HOST);
      expect(readdirSync(own).sort()).toEqual(["ca.crt", "hosts.toml"]);
      const toml = readFileSync(join(own, "hosts.toml"), "utf8");
      expect(toml).toContain(`[host."https://10.96.0.7:5000"]`);
      const [, ca] = /ca = "(.*)"/.exec(toml) ?? [];
      expect(readFileSync(ca, "utf8")).toBe("PEM");
    }
    await program("remove");
    await program("remove");
    expect(existsSync(join(folder, "node1", HOST))).toBe(false);
    expect(existsSync(join(folder, "node1"))).toBe(true);
  });
});

describe("the registry's pod", () => {
  const bucket = {
    endpoint: "https://store:9000",
    region: "us-east-1",
    bucket: "registry",
    namespace: "place",
    secretName: "store-registry",
    caBundle: "store-ca",
  };

  it("has one place for its images, and no credentials in its settings", () => {
    expect(Object.keys(registryConfig("volume").storage)).not.toContain("s3");
    const config = registryConfig({ bucket });
    expect(Object.keys(config.storage)).not.toContain("filesystem");
    expect(JSON.stringify(config)).not.toMatch(/accesskey|secretkey/i);
  });

  it("collects garbage before it serves, never while it does, and serves whether or not it could", () => {
    const pod = registryPod({ image: "registry", name: "registry", contents: "volume", hasCollection: true });
    const [collect] = pod.initContainers as { command: string[]; volumeMounts: unknown }[];
    const [serve] = pod.containers as { args: string[]; volumeMounts: unknown }[];
    expect(collect.command.at(-1)).toMatch(/^registry garbage-collect \S+ \|\| echo/);
    expect(collect.volumeMounts).toEqual(serve.volumeMounts);
    expect(serve.args[0]).toBe("serve");
    expect(
      registryPod({ image: "r", name: "r", contents: { bucket }, hasCollection: false }).initContainers,
    ).toBeUndefined();
  });
});

it("says that there is nothing to push", async () => {
  const nobody = { host: "127.0.0.1:1", user: "", password: "", ca: "", log: async () => "" };
  await expect(pushImage("/nowhere.tar", "a:1", nobody)).rejects.toThrow("there is no file /nowhere.tar");
});
