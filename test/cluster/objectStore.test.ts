import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setUp } from "../../components/storage/minio/admin.ts";
import { type Connection, s3Client } from "../../components/storage/reach/connect.ts";
import { kubectl } from "../../local/cluster/cluster.ts";
import { run } from "../../local/exec.ts";
import { state } from "../../local/paths.ts";
import { cli, configs, output, succeed } from "./cli.ts";
import { killProgram } from "./kill.ts";

const NAMESPACE = "inference-dev";
const set = (...sets: string[]) => configs(["benchmark.enabled=false", ...sets]);
const get = async (...what: string[]) => JSON.parse(await kubectl(["get", "-n", NAMESPACE, "-o", "json", ...what]));
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

interface Bucket {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly secretName: string;
}

/** The store as one of its users, dialled at the pod's own address: the machine knows no names of the cluster. */
async function connection(user: string): Promise<Connection> {
  const [{ data: secret }, { data: authority }, { status }] = await Promise.all([
    get("secret", `object-store-${user}`),
    get("configmap", "object-store-ca"),
    get("pod", "object-store-0"),
  ]);
  const text = (key: string) => Buffer.from(secret[key], "base64").toString();
  return {
    url: `https://${status.podIP}:9000`,
    region: "us-east-1",
    bucket: "models",
    accessKeyId: text("AWS_ACCESS_KEY_ID"),
    secretAccessKey: text("AWS_SECRET_ACCESS_KEY"),
    tls: { ca: authority["ca.crt"], servername: `object-store.${NAMESPACE}.svc` },
    close() {},
  };
}

describe("the object store", () => {
  let bucket: Bucket;
  beforeAll(async () => {
    await succeed("start", ...set());
    bucket = JSON.parse(await output("outputs")).objectStore;
  });
  afterAll(() => cli("stop", "--purge"));

  const refused = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ name: "AccessDenied" });

  it("gives the servers a user that reads the models and can do nothing else", async () => {
    expect(bucket).toMatchObject({
      endpoint: `https://object-store.${NAMESPACE}.svc.cluster.local:9000`,
      bucket: "models",
      secretName: "object-store-models-read",
      caBundle: "object-store-ca",
    });
    const root = s3Client(await connection("root"));
    await root.send(new CreateBucketCommand({ Bucket: "other" }));
    await root.send(new PutObjectCommand({ Bucket: "other", Key: "a", Body: "b" }));
    root.destroy();
    const store = await connection("models-read");
    const reader = s3Client(store);
    const { Contents } = await reader.send(new ListObjectsV2Command({ Bucket: "models" }));
    const Key = Contents!.find((object) => object.Key!.endsWith("manifest.json"))!.Key!;
    await reader.send(new GetObjectCommand({ Bucket: "models", Key }));
    await refused(reader.send(new PutObjectCommand({ Bucket: "models", Key, Body: "other" })));
    await refused(reader.send(new ListObjectsV2Command({ Bucket: "other" })));
    await refused(reader.send(new GetObjectCommand({ Bucket: "other", Key: "a" })));
    await refused(reader.send(new CreateBucketCommand({ Bucket: "mine" })));
    const { Buckets } = await reader.send(new ListBucketsCommand());
    expect(Buckets!.map(({ Name }) => Name)).toEqual(["models"]);
    await refused(setUp(store, [{ bucket: "models", right: "manage", secretKey: "s".repeat(40) }]));
    reader.destroy();
    const [{ spec }] = (await get("pods", "-l", "app.kubernetes.io/name=server")).items;
    expect(JSON.stringify(spec)).not.toMatch(/object-store-(root|models-write)/);
  });

  it("shows a certificate that only its own authority vouches for, and answers nothing in plain text", async () => {
    const store = await connection("models-read");
    const list = async (changes: Partial<Connection>) => {
      const s3 = s3Client({ ...store, ...changes });
      return s3.send(new ListObjectsV2Command({ Bucket: "models" })).finally(() => s3.destroy());
    };
    await list({});
    await expect(list({ tls: { servername: store.tls.servername } })).rejects.toThrow(/certificate/);
    await expect(list({ tls: { ...store.tls, servername: "object-store.elsewhere.svc" } })).rejects.toThrow(/altnames/);
    await expect(list({ url: store.url.replace("https", "http") })).rejects.toThrow();
  });

  it("says what is missing when the upload's user may not write", async () => {
    const store = await connection("models-read");
    const { tls, url } = store;
    const model = (await output("model")).trim();
    const environment = {
      S3_ENDPOINT: url,
      S3_BUCKET: "other",
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: store.accessKeyId,
      AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
    };
    const upload = (changes: object) =>
      run(process.execPath, ["components/storage/upload/main.ts", model], {
        env: { ...process.env, ...environment, ...changes },
      });
    await expect(upload({ S3_CA: tls.ca })).rejects.toThrow(/not one to trust .*altnames/); // it names no address
    const throughPods = {
      S3_CA: tls.ca,
      S3_ENDPOINT: bucket.endpoint,
      KUBECONFIG: state.kubeconfig,
      KUBE_CONTEXT: "inference-stack",
      POD_NAMESPACE: NAMESPACE,
      POD_SELECTOR: "app.kubernetes.io/name=minio",
      POD_PORT: "9000",
    };
    const said = await upload(throughPods).catch(({ message }: Error) => message);
    expect(said).toMatch(
      /model upload: the object store answers .*\(HTTP 403\) to models-read on bucket other: .*its policy must allow s3:ListBucket/,
    );
    expect(said).not.toContain(store.secretAccessKey);
  });

  it("loses nothing that it acknowledged when its process is killed in the middle of writing", async () => {
    const s3 = s3Client(await connection("models-write"));
    const acknowledged = new Map<string, string>();
    let kills = 0;
    const write = async (worker: number) => {
      for (let i = 0; kills < 2; i++) {
        const Body = randomBytes(50_000 + worker);
        const Key = `killed/${worker}/${i}`;
        const isWritten = await s3.send(new PutObjectCommand({ Bucket: "models", Key, Body })).then(
          () => true,
          () => false,
        );
        if (isWritten) acknowledged.set(Key, sha256(Body));
        else await sleep(200);
      }
    };
    const writing = Promise.all([write(1), write(2), write(3), write(4)]);
    for (; kills < 2; kills++) {
      await sleep(1500);
      await killProgram(NAMESPACE, "object-store-0", "minio\0server");
    }
    await writing;
    expect(acknowledged.size).toBeGreaterThan(50);
    for (const [Key, hash] of acknowledged) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: "models", Key }));
      expect(sha256(await Body!.transformToByteArray()), Key).toBe(hash);
    }
    s3.destroy();
  });

  it("changes nothing the second time, and keeps its data from being destroyed by accident", async () => {
    const { steps } = JSON.parse(await output("preview", ...set(), "--json")) as { steps: { op: string }[] };
    expect(steps.filter(({ op }) => op !== "same" && op !== "read")).toEqual([]);
    await succeed("start", ...set("objectStore.protect=true"));
    const refusal = await cli("destroy");
    expect(refusal.code).not.toBe(0);
    expect(refusal.output).toMatch(/protects its data: object-store cannot be destroyed\. Nothing was deleted/);
    expect(refusal.output).toContain("npm start -- --stack dev --config objectStore.protect=false");
    expect((await get("pods", "-l", "app.kubernetes.io/name=server")).items).toHaveLength(1);
    await succeed("start", ...set());
    await succeed("destroy");
    expect(await kubectl(["get", "pv", "-o", "name"]).then((text) => text.trim())).toBe("");
  });
});
