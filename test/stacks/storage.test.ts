import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkConfig } from "../../stacks/config.ts";
import { dev, measured, only, type Program, presetConfig, runProgram, STATEFUL_SET } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "stacks-storage-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const connected = { ...presetConfig("low-latency") };
const nodes = ["node1", "node2", "node3"].map((name) => ({ name, devices: ["/dev/sdb"] }));
const external = {
  endpoint: "https://s3.example.com",
  bucket: "my-models",
  secret: { namespace: "default", name: "s3" },
};
const RELEASE = "kubernetes:helm.sh/v3:Release";
const SECRET = "kubernetes:core/v1:Secret";
const COMMAND = "command:local:Command";
const run = (changes: object, preview = false) =>
  runProgram({ ...connected, ...changes }, { result: measured, preview });
const fetchEnv = (program: Program) => {
  const [container] = only(program, STATEFUL_SET, "server-node1").inputs.spec.template.spec.initContainers;
  return Object.fromEntries(
    container.env.map(({ name, value, valueFrom }: { name: string; value?: string; valueFrom?: object }) => [
      name,
      value ?? valueFrom,
    ]),
  );
};

describe("objectStore.backend", () => {
  it("ceph previews with nothing known of a cluster: three charts, and the bucket's claim", async () => {
    const program = await run({ ceph: { enabled: true, nodes }, objectStore: { backend: "ceph" } }, true);
    const releases = program.resources.filter(({ type }) => type === RELEASE);
    expect(releases.map(({ inputs }) => [inputs.chart, inputs.version])).toEqual([
      ["ceph-csi-drivers", "1.0.4"],
      ["rook-ceph", "v1.20.6"],
      ["rook-ceph-cluster", "v1.20.6"],
    ]);
    for (const { inputs } of releases) expect(inputs).toMatchObject({ namespace: "rook-ceph", skipAwait: false });
    expect(only(program, "kubernetes:objectbucket.io/v1alpha1:ObjectBucketClaim").inputs.spec.bucketName).toBe(
      "models",
    );
    expect(program.resources.filter(({ type }) => type.endsWith(":Minio"))).toEqual([]);
    expect(fetchEnv(program).S3_ENDPOINT).toBe(
      "https://rook-ceph-rgw-ceph-objectstore.rook-ceph.svc.cluster.local:8443",
    );
  });

  it("external deploys no store: servers get a copy of the credentials, and the authority", async () => {
    const ca = file("ca.pem", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n");
    const program = await run({ objectStore: { backend: "external", external: { ...external, ca } } });
    expect(program.resources.filter(({ name }) => name.startsWith("object-store")).map(({ type }) => type)).toEqual([
      "inference-stack:storage:ExternalStore",
      "kubernetes:core/v1:ConfigMap",
      SECRET,
    ]);
    expect(only(program, SECRET, "object-store-read").inputs.stringData).toBe("[secret]");
    expect(fetchEnv(program)).toMatchObject({
      S3_ENDPOINT: "https://s3.example.com",
      S3_BUCKET: "my-models",
      NODE_EXTRA_CA_CERTS: "/ca/ca.crt",
    });
    const known = await run({ objectStore: { backend: "external", external } });
    expect(fetchEnv(known).NODE_EXTRA_CA_CERTS).toBeUndefined();
  });

  it.each<[string, object, RegExp]>([
    ["external without a bucket", { objectStore: { backend: "external" } }, /^objectStore\.external: is missing/],
    [
      "a bucket without external",
      { objectStore: { external } },
      /^objectStore\.external: is for objectStore\.backend external/,
    ],
    [
      "an authority that is not there",
      { objectStore: { backend: "external", external: { ...external, ca: "/nowhere.pem" } } },
      /^objectStore\.external\.ca: there is no file \/nowhere\.pem$/,
    ],
    [
      "an authority that is none",
      { objectStore: { backend: "external", external: { ...external, ca: file("no.pem", "hello") } } },
      /holds no PEM certificate/,
    ],
    [
      "an endpoint with the bucket in it",
      { objectStore: { backend: "external", external: { ...external, endpoint: "https://s3.example.com/models" } } },
      /^objectStore\.external\.endpoint: /,
    ],
    ["ceph's store without ceph", { objectStore: { backend: "ceph" } }, /set ceph\.enabled and ceph\.nodes$/],
    ["ceph without disks", { ceph: { enabled: true } }, /^ceph\.nodes: is empty/],
    [
      "ceph on the embedded cluster",
      { ...dev, ceph: { enabled: true, nodes } },
      /^ceph: is not possible on the embedded cluster/,
    ],
    ["two monitors", { ceph: { enabled: true, nodes, mons: 2 } }, /^ceph\.mons: /],
  ])("says what is wrong with %s", (_, changes, message) => {
    expect(checkConfig({ ...connected, ...changes }).problems).toEqual([expect.stringMatching(message)]);
  });
});

describe("registry", () => {
  const archive = file("node.tar", "");
  const registry = { enabled: true, images: ["node"], archives: { node: archive }, certsFolders: ["/nodes/certs.d"] };
  const images = { node: "localhost/inference-stack/node:0123abcd" };
  const HOST = "registry.inference-dev.svc.cluster.local:5000";

  it("takes images of this machine, and pods pull them from it with its password", async () => {
    const program = await run({ registry, images });
    const { spec } = only(program, STATEFUL_SET, "server-node1").inputs.spec.template;
    expect(spec.initContainers[0].image).toBe(`${HOST}/inference-stack/node:0123abcd`);
    expect(spec.imagePullSecrets).toEqual([{ name: "registry-pull" }]);
    const job = only(program, "kubernetes:batch/v1:Job").inputs.spec.template.spec;
    expect([job.containers[0].image, job.imagePullSecrets]).toEqual([
      spec.initContainers[0].image,
      spec.imagePullSecrets,
    ]);
    expect(only(program, COMMAND, "push-node").inputs.create).toContain(`'${archive}' 'inference-stack/node:0123abcd'`);
    for (const name of ["registry-pull", "registry-users", "registry-tls"])
      expect(only(program, SECRET, name).inputs.stringData).toBe("[secret]");
    expect(program.exports.imageRegistry).toMatchObject({ host: HOST, pullSecret: "registry-pull" });
    expect(program.exports.imageRegistry.trust["hosts.toml"]).toMatch(/^server = "https:/);
  });

  it("keeps images on a volume of its own, or in a bucket that it alone may change", async () => {
    const volume = only(await run({ registry, images }), STATEFUL_SET, "registry").inputs.spec;
    expect(volume.volumeClaimTemplates).toHaveLength(1);
    const program = await run({ registry: { ...registry, backend: "objectStore" }, images });
    const { volumeClaimTemplates, template } = only(program, STATEFUL_SET, "registry").inputs.spec;
    expect(volumeClaimTemplates).toBeUndefined();
    const secrets = JSON.stringify(template.spec.containers[0].env).match(/object-store-[a-z-]+/g);
    expect(new Set(secrets)).toEqual(new Set(["object-store-registry-manage"]));
    const config = JSON.parse(only(program, "kubernetes:core/v1:ConfigMap", "registry").inputs.data["config.yml"]);
    expect(Object.keys(config.storage).sort()).toEqual(["cache", "delete", "maintenance", "redirect", "s3"]);
    expect(config.storage.s3).toMatchObject({ bucket: "registry", forcepathstyle: true, secure: true });
  });

  it("is not there when it is not asked for", async () => {
    const program = await run({});
    expect(program.resources.filter(({ name }) => name.startsWith("registry"))).toEqual([]);
    expect(JSON.stringify(program.resources)).not.toContain("imagePullSecrets");
  });

  it.each<[string, object, RegExp]>([
    [
      "an image without a file",
      { registry: { ...registry, archives: {} }, images },
      /^registry\.images: node has no file/,
    ],
    [
      "a file that is not there",
      { registry: { ...registry, archives: { node: "/nowhere.tar" } }, images },
      /^registry\.archives\.node: there is no file \/nowhere\.tar$/,
    ],
    ["an image without a tag to tell it by", { registry }, /^images\.node: is missing/],
    [
      "a bucket in a store that is not the stack's",
      { registry: { ...registry, backend: "objectStore" }, images, objectStore: { backend: "external", external } },
      /^registry\.backend: objectStore is a bucket of the stack's own MinIO/,
    ],
  ])("says what is wrong with %s", (_, changes, message) => {
    expect(checkConfig({ ...connected, ...changes }).problems).toEqual([expect.stringMatching(message)]);
  });
});
