import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { S3Client } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bundleFetch } from "../../../components/storage/fetch/bundle.ts";
import { type FetchOptions, fetchModel } from "../../../components/storage/fetch/fetch.ts";
import { type Connection, s3Client } from "../../../components/storage/reach/connect.ts";
import { reasonOf } from "../../../components/storage/reach/reason.ts";
import { uploadModel } from "../../../components/storage/upload/upload.ts";
import { run } from "../../../local/exec.ts";
import { Store } from "./store.ts";

const content: Record<string, string> = {
  "repository/lite0/config.pbtxt": "name: lite0",
  "repository/lite0/1/model.py": "x = 1",
  "inputs/manifest.json": "{}",
  "inputs/cat.f32": "\0\u0001\0",
};

let folder: string;
let store: Store;
let endpoint: string;
let s3: S3Client;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "storage-"));
  store = new Store();
  endpoint = await store.start();
  s3 = s3Client(connection(endpoint));
  vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => {
  s3.destroy();
  store.stop();
  rmSync(folder, { recursive: true, maxRetries: 10 }); // a download beside the one that failed may still write
  vi.restoreAllMocks();
});

const connection = (url: string): Omit<Connection, "close"> => ({
  url,
  region: "us-east-1",
  bucket: "models",
  accessKeyId: "key",
  secretAccessKey: "secret",
  tls: {},
});

/** Writes a model's folder and returns it. */
function model(files = content, version = "v1"): string {
  const source = mkdtempSync(join(folder, "model-"));
  const listed = Object.entries(files).map(([path, text]) => {
    mkdirSync(dirname(join(source, path)), { recursive: true });
    writeFileSync(join(source, path), text);
    return { path, sha256: createHash("sha256").update(text).digest("hex"), bytes: Buffer.byteLength(text) };
  });
  writeFileSync(join(source, "manifest.json"), JSON.stringify({ name: "lite0", version, files: listed }));
  return source;
}

const fetch = (changes: Partial<FetchOptions> = {}) =>
  fetchModel({
    endpoint,
    region: "us-east-1",
    bucket: "models",
    accessKeyId: "key",
    secretAccessKey: "secret",
    prefix: "lite0/v1",
    subPath: "repository/",
    target: join(folder, "target"),
    pauseMs: 5,
    deadlineSeconds: 5,
    ...changes,
  });
const puts = () => store.requests.filter((request) => request.startsWith("PUT lite0"));

describe("uploading a model", () => {
  it("puts all files under name and version, the manifest last", async () => {
    const uploaded = await uploadModel(s3, "models", model());
    expect(uploaded).toMatchObject({ name: "lite0", version: "v1", files: 5, sent: 5 });
    expect([...store.objects.keys()].sort()).toEqual(
      [...Object.keys(content), "manifest.json"].map((path) => `lite0/v1/${path}`).sort(),
    );
    expect(puts().at(-1)).toBe("PUT lite0/v1/manifest.json");
    expect(store.objects.get("lite0/v1/inputs/cat.f32")!.data.toString()).toBe(content["inputs/cat.f32"]);
  });

  it("sends nothing that is there already", async () => {
    const source = model();
    await uploadModel(s3, "models", source);
    store.requests.length = 0;
    expect(await uploadModel(s3, "models", source)).toMatchObject({ files: 5, sent: 0, sentBytes: 0 });
    expect(puts()).toEqual([]);
  });

  it("sends again what is missing or different", async () => {
    const source = model();
    await uploadModel(s3, "models", source);
    store.objects.delete("lite0/v1/inputs/cat.f32");
    store.objects.set("lite0/v1/repository/lite0/1/model.py", { data: Buffer.from("y = 1"), sha256: "0" });
    expect(await uploadModel(s3, "models", source)).toMatchObject({ sent: 2 });
    expect(store.objects.get("lite0/v1/repository/lite0/1/model.py")!.data.toString()).toBe("x = 1");
  });

  it("sends of a new version only what no other version has", async () => {
    await uploadModel(s3, "models", model());
    store.objects.set("lite0/broken/manifest.json", { data: Buffer.from("{") });
    store.requests.length = 0;
    const changed = { ...content, "inputs/cat.f32": "other", "inputs/dog.f32": "\0\u0001\0" };
    const uploaded = await uploadModel(s3, "models", model(changed, "v2"));
    expect(uploaded).toMatchObject({ version: "v2", files: 6, copied: 4, sent: 2 });
    expect(store.copies.sort()).toEqual(
      ["inputs/dog.f32", "inputs/manifest.json", "repository/lite0/1/model.py", "repository/lite0/config.pbtxt"].map(
        (path) => `lite0/v2/${path}`,
      ),
    );
    expect(store.objects.get("lite0/v2/inputs/dog.f32")!.data.toString()).toBe("\0\u0001\0");
    expect(puts().at(-1)).toBe("PUT lite0/v2/manifest.json");
    // What another version's manifest says is not believed when the object is another.
    store.objects.set("lite0/v1/inputs/cat.f32", { data: Buffer.from("spoilt"), sha256: "0" });
    store.objects.set("lite0/v2/inputs/dog.f32", { data: Buffer.from("spoilt"), sha256: "0" });
    expect(await uploadModel(s3, "models", model(content, "v3"))).toMatchObject({ copied: 3, sent: 2 });
  });

  it("gets over a cut connection and a store that is busy", async () => {
    store.faults.push("drop", 503, 503);
    expect(await uploadModel(s3, "models", model())).toMatchObject({ sent: 5 });
  });

  it("says in words what the store refuses", async () => {
    const upload = (bucket = "models") =>
      uploadModel(s3, bucket, model()).catch((error: unknown) => reasonOf(error, bucket, "models-write"));
    store.faults.push(403);
    expect(await upload()).toBe(
      "the object store answers (HTTP 403) to models-write on bucket models: the secret key must be right, and its policy must allow s3:ListBucket on the bucket and s3:GetObject and s3:PutObject on what is in it",
    );
    expect(await upload("modles")).toBe(
      "the object store answers NoSuchBucket (HTTP 404): there is no bucket modles; create it, or name another one",
    );
  });

  it("refuses a folder that is not what its manifest says, and leaves no manifest in the bucket", async () => {
    const source = model();
    writeFileSync(join(source, "inputs/cat.f32"), "other");
    await expect(uploadModel(s3, "models", source)).rejects.toThrow(
      "inputs/cat.f32 is not what manifest.json says; build the model again",
    );
    rmSync(join(source, "inputs/cat.f32"));
    await expect(uploadModel(s3, "models", source)).rejects.toThrow(
      /inputs\/cat\.f32 is in manifest\.json but cannot be read/,
    );
    expect(store.objects.has("lite0/v1/manifest.json")).toBe(false);
  });
});

describe("fetching a model", () => {
  beforeEach(async () => {
    await uploadModel(s3, "models", model());
  });
  const files = (sub = "") =>
    readdirSync(join(folder, "target", sub), { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).length;

  it("downloads one part of it, without that part's name", async () => {
    expect(await fetch()).toMatchObject({ files: 2, bytes: 16 });
    expect(readFileSync(join(folder, "target/lite0/1/model.py"), "utf8")).toBe("x = 1");
    expect(files()).toBe(2);
    await fetch({ subPath: "inputs/", target: join(folder, "target/in") });
    expect(files("in")).toBe(2);
  });

  it("gets over a cut connection and a store that is busy", async () => {
    store.faults.push("drop", 503, 500, "drop");
    expect(await fetch()).toMatchObject({ files: 2 });
  });

  it("waits for a store that is not there yet, and gives up in bounded time", async () => {
    store.stop();
    const start = performance.now();
    await expect(fetch({ deadlineSeconds: 0.5 })).rejects.toThrow(
      /^models\/lite0\/v1\/manifest\.json from http:.*: connect ECONNREFUSED .* \(gave up after 0\.5 s\)$/,
    );
    expect(performance.now() - start).toBeGreaterThan(400);
  });

  it.each<[string, () => Partial<FetchOptions>, RegExp]>([
    [
      "a version that is not there",
      () => ({ prefix: "lite0/v2" }),
      /^models\/lite0\/v2\/manifest\.json is not in the object store \(NoSuchKey\); was the model uploaded\?$/,
    ],
    [
      "wrong credentials",
      () => ({ accessKeyId: "other" }),
      /^the object store refuses access to models\/lite0\/v1\/manifest\.json \(AccessDenied\)$/,
    ],
    ["a part that it does not have", () => ({ subPath: "outputs/" }), /^model lite0\/v1 has no files under outputs\/$/],
    [
      "a file that is not what the manifest says",
      () => {
        store.objects.set("lite0/v1/repository/lite0/1/model.py", { data: Buffer.from("y = 1") });
        return {};
      },
      /model\.py has SHA-256 [0-9a-f]{64} \(5 bytes\), but the manifest says [0-9a-f]{64} \(5 bytes\)$/,
    ],
  ])("fails at once on %s", async (_, changes, message) => {
    store.requests.length = 0;
    await expect(fetch(changes())).rejects.toThrow(message);
    const attempts = store.requests.filter((request) => request.endsWith("manifest.json"));
    expect(attempts).toHaveLength(1);
  });
});

describe("the bundled fetch program", () => {
  it("is the same every time and small enough for a ConfigMap", async () => {
    const [a, b] = [await bundleFetch(), await bundleFetch()];
    expect(a).toEqual(b);
    expect(a.code.length).toBeLessThan(100_000);
  });

  it("does in its own process what an init container asks of it", async () => {
    await uploadModel(s3, "models", model());
    const { code } = await bundleFetch();
    writeFileSync(join(folder, "fetch.mjs"), code);
    const env = {
      S3_ENDPOINT: endpoint,
      AWS_REGION: "us-east-1",
      S3_BUCKET: "models",
      PREFIX: "lite0/v1",
      SUB_PATH: "inputs/",
      TARGET: join(folder, "out"),
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret",
    };
    const node = (changes = {}) => run(process.execPath, [join(folder, "fetch.mjs")], { env: { ...env, ...changes } });
    expect(await node()).toMatch(/^fetched 2 files, 0\.0 MB in \d+\.\d s\n$/);
    expect(readdirSync(join(folder, "out")).sort()).toEqual(["cat.f32", "manifest.json"]);
    await expect(node({ PREFIX: "lite0/v9" })).rejects.toThrow(
      /exit code 1\nfetch: models\/lite0\/v9\/manifest\.json is not in the object store/,
    );
    await expect(node({ TARGET: "" })).rejects.toThrow(/fetch: TARGET is not set/);
  });
});
