import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PushTarget, pushImage } from "../../components/storage/registry/push.ts";
import { kubectl } from "../../local/cluster/cluster.ts";
import { initOf, running } from "../../local/cluster/process.ts";
import { run } from "../../local/exec.ts";
import { state } from "../../local/paths.ts";
import { cli, configs, output, succeed } from "./cli.ts";
import { killProgram } from "./kill.ts";

const NAMESPACE = "inference-dev";
const HOST = `registry.${NAMESPACE}.svc.cluster.local:5000`;
const set = (...sets: string[]) =>
  configs(["benchmark.enabled=false", "registry.enabled=true", "registry.size=1Gi", ...sets]);
const get = async (...what: string[]) => JSON.parse(await kubectl(["get", "-n", NAMESPACE, "-o", "json", ...what]));
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
const folder = mkdtempSync(join(tmpdir(), "registry-"));

/** An image that exists nowhere else: a program that waits, and some random bytes. Returns the archive and the layer's digest. */
async function uniqueImage(name: string, bytes: number): Promise<{ archive: string }> {
  const at = join(folder, name);
  mkdirSync(join(at, "root"), { recursive: true });
  copyFileSync("/usr/bin/catatonit", join(at, "root", "wait"));
  writeFileSync(join(at, "root", "random"), randomBytes(bytes));
  await run("tar", ["-C", join(at, "root"), "-cf", join(at, "layer.tar"), "wait", "random"]);
  const config = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Entrypoint: ["/wait", "-P"], User: "65532:65532" },
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(readFileSync(join(at, "layer.tar")))}`] },
  });
  writeFileSync(join(at, "config.json"), config);
  writeFileSync(
    join(at, "manifest.json"),
    JSON.stringify([{ Config: "config.json", RepoTags: [`local/${name}:1`], Layers: ["layer.tar"] }]),
  );
  const archive = join(folder, `${name}.tar`);
  await run("tar", ["-C", at, "-cf", archive, "manifest.json", "config.json", "layer.tar"]);
  rmSync(at, { recursive: true });
  return { archive };
}

/** The registry as the machine dials it: at its Service's address, which its certificate names. */
async function target(): Promise<PushTarget> {
  const [{ spec }, { data }, { imageRegistry }] = await Promise.all([
    get("service", "registry"),
    get("secret", "registry-pull"),
    output("outputs").then((text) => JSON.parse(text)),
  ]);
  const { auths } = JSON.parse(Buffer.from(data[".dockerconfigjson"], "base64").toString());
  const { username: user, password } = auths[HOST];
  return {
    host: `${spec.clusterIP}:5000`,
    user,
    password,
    ca: imageRegistry.trust["ca.crt"],
    log: () => kubectl(["logs", "-n", NAMESPACE, "registry-0", "--tail=30"]),
  };
}

/** What the registry answers to a request of its API. */
async function ask(method: string, path: string): Promise<{ status: number; body: Buffer; digest: string }> {
  const { host, user, password, ca } = await target();
  return new Promise((resolve, reject) => {
    const asking = request(`https://${host}/v2/${path}`, {
      method,
      ca,
      auth: `${user}:${password}`,
      headers: { accept: "application/vnd.docker.distribution.manifest.v2+json" },
      agent: false,
    });
    asking.once("error", reject);
    asking.once("response", async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const digest = String(response.headers["docker-content-digest"] ?? "");
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks), digest });
    });
    asking.end();
  });
}

/** Digests of an image's blobs as the registry has them, each read to the end and hashed again. */
async function wholeBlobs(repository: string): Promise<string[]> {
  const manifest = await ask("GET", `${repository}/manifests/1`);
  expect(manifest.status, repository).toBe(200);
  const { config, layers } = JSON.parse(manifest.body.toString()) as Record<"config", { digest: string }> & {
    layers: { digest: string }[];
  };
  const digests = [config, ...layers].map(({ digest }) => digest);
  for (const digest of digests) {
    const { body } = await ask("GET", `${repository}/blobs/${digest}`);
    expect(`sha256:${sha256(body)}`, repository).toBe(digest);
  }
  return digests;
}

const pod = (name: string, image: string, pullSecrets: string[]) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: NAMESPACE },
  spec: {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    imagePullSecrets: pullSecrets.map((secret) => ({ name: secret })),
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "wait",
        image,
        imagePullPolicy: "Always",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
});
const apply = (...objects: object[]) => {
  const file = join(folder, "objects.json");
  writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  return kubectl(["apply", "-f", file]);
};
const ready = (name: string) =>
  kubectl(["wait", "-n", NAMESPACE, "--for=condition=Ready", `pod/${name}`, "--timeout=60s"]);
const scale = async (replicas: number) => {
  await kubectl(["scale", "statefulset", "registry", "-n", NAMESPACE, `--replicas=${replicas}`]);
  if (replicas === 0) await kubectl(["wait", "-n", NAMESPACE, "--for=delete", "pod/registry-0", "--timeout=60s"]);
  else await back();
};
const anew = async () => {
  await kubectl(["delete", "pod", "-n", NAMESPACE, "registry-0", "--wait"]);
  await back();
};
const back = async () => {
  await expect
    .poll(
      () =>
        ready("registry-0").then(
          () => true,
          () => false,
        ),
      { timeout: 60_000 },
    )
    .toBe(true);
};

describe("the registry", () => {
  beforeAll(async () => {
    await succeed("start", ...set('registry.images=["node"]'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await cli("stop", "--purge");
  });

  it("serves the stack's own images to its pods", async () => {
    const [server] = (await get("pods", "-l", "app.kubernetes.io/name=server")).items;
    expect(server.spec.initContainers[0].image).toMatch(`${HOST}/inference-stack/node:`);
    expect(server.status.initContainerStatuses[0].imageID).toContain(`${HOST}/inference-stack/node@sha256:`);
  });

  it("gives a pod an image that exists nowhere else, and none to a pod without the password", async () => {
    const { archive } = await uniqueImage("only", 1000);
    await pushImage(archive, "team/only:1", await target());
    await apply(pod("with", `${HOST}/team/only:1`, ["registry-pull"]), pod("without", `${HOST}/team/only:1`, []));
    await ready("with");
    const { status } = await get("pod", "with");
    expect(status.containerStatuses[0].imageID).toContain((await ask("GET", "team/only/manifests/1")).digest);
    await expect
      .poll(async () => JSON.stringify(await get("pod", "without")), { timeout: 30_000 })
      .toMatch(/(ErrImagePull|ImagePullBackOff)/);
    const events = await kubectl(["events", "-n", NAMESPACE, "--for", "pod/without"]);
    expect(events).toMatch(/401 Unauthorized|authorization failed|no basic auth/);
    const wrong = { ...(await target()), password: "wrong" };
    await expect(pushImage(archive, "team/only:2", wrong)).rejects.toThrow(/does not know the password/);
    await kubectl(["delete", "pod", "-n", NAMESPACE, "with", "without", "--wait"]);
  });

  it("loses nothing that it acknowledged when its process is killed in the middle of pushes", async () => {
    const to = await target();
    const acknowledged: string[] = [];
    let kills = 0;
    const push = async (worker: number) => {
      for (let i = 0; kills < 2 && i < 60; i++) {
        const name = `killed-${worker}-${i}`;
        const { archive } = await uniqueImage(name, 3_000_000);
        await pushImage(archive, `team/${name}:1`, to).then(
          () => acknowledged.push(`team/${name}`),
          () => sleep(300),
        );
        rmSync(archive);
      }
    };
    const pushing = Promise.all([push(1), push(2)]);
    for (; kills < 2; kills++) {
      await sleep(2500);
      await killProgram(NAMESPACE, "registry-0", "registry\0serve");
    }
    await pushing;
    expect(acknowledged.length).toBeGreaterThan(3); // before and between
    for (const repository of acknowledged) await wholeBlobs(repository);
  });

  it("collects what no image has any more, and nothing else", async () => {
    const { archive } = await uniqueImage("kept", 1000);
    await pushImage(archive, "team/kept:1", await target());
    const gone = await uniqueImage("gone", 100_000);
    await pushImage(gone.archive, "team/gone:1", await target());
    const layers = await wholeBlobs("team/gone");
    const { digest } = await ask("GET", "team/gone/manifests/1");
    expect((await ask("DELETE", `team/gone/manifests/${digest}`)).status).toBe(202);
    const before = (await get("pod", "registry-0")).metadata.uid;
    await kubectl(["create", "job", "-n", NAMESPACE, "collect-now", "--from=cronjob/registry-collect"]);
    await expect
      .poll(
        () =>
          get("pod", "registry-0").then(
            ({ metadata }) => metadata.uid !== before,
            () => false,
          ),
        { timeout: 60_000 },
      )
      .toBe(true);
    await ready("registry-0");
    for (const layer of layers) expect((await ask("GET", `team/gone/blobs/${layer}`)).status).toBe(404);
    await wholeBlobs("team/kept");
  });

  it("says that it is full, keeps what it has, and goes on when there is room", async () => {
    const { spec } = await get("pvc", "data-registry-0");
    // A small disk in the place of the volume, in the node's mount namespace: put there, and taken away, while no pod has the volume.
    const inNode = (...command: string[]) => run("nsenter", ["-t", String(initOf(running()!)), "-m", ...command]);
    const volume = join(state.cluster, "volumes", spec.volumeName);
    await scale(0);
    await inNode("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", volume);
    await scale(1);
    const { archive } = await uniqueImage("large", 12_000_000);
    await expect(pushImage(archive, "team/large:1", await target())).rejects.toThrow(
      /^team\/large:1: the registry is full\. Give it a larger registry\.size/,
    );
    await scale(0);
    await inNode("umount", volume);
    await scale(1);
    await wholeBlobs("team/kept");
    await pushImage(archive, "team/large:1", await target());
  });

  it("keeps its images in the object store just as well, and leaves nothing when it is destroyed", async () => {
    await succeed("start", ...set('registry.images=["node"]', "registry.backend=objectStore"));
    const { archive } = await uniqueImage("bucket", 1000);
    await pushImage(archive, "team/bucket:1", await target());
    await anew(); // what it has is not in its pod
    await apply(pod("from-bucket", `${HOST}/team/bucket:1`, ["registry-pull"]));
    await ready("from-bucket");
    await kubectl(["delete", "pod", "-n", NAMESPACE, "from-bucket", "--wait"]);
    const certs = join(state.cluster, "node1", "etc", "certs.d");
    expect(readdirSync(certs)).toEqual([HOST]);
    await succeed("destroy");
    expect(readdirSync(certs)).toEqual([]);
    await expect
      .poll(() => kubectl(["get", "pv", "-o", "name"]).then((text) => text.trim()), { timeout: 30_000 })
      .toBe("");
  });
});
