import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type ModelFile, type ModelManifest, parseManifest } from "../manifest.ts";

export interface Uploaded {
  readonly name: string;
  readonly version: string;
  readonly files: number;
  /** Files that another version has as well, which the store copied. */
  readonly copied: number;
  /** Files that travelled, and their size. */
  readonly sent: number;
  readonly sentBytes: number;
}

/**
 * Puts a model's folder into the bucket as `<name>/<version>/`. Only files whose content no version of the model has yet travel. The
 * manifest goes last: where it is, everything is.
 *
 * @throws Error in words for the user
 */
export async function uploadModel(s3: S3Client, bucket: string, folder: string): Promise<Uploaded> {
  const text = await readFile(join(folder, "manifest.json"));
  const manifest = parseManifest(text.toString());
  const prefix = `${manifest.name}/${manifest.version}`;
  const sent: ModelFile[] = [];
  let copied = 0;
  const others = otherVersions(s3, bucket, manifest);
  const put = async (file: ModelFile, read: () => Promise<Buffer>) => {
    const Key = `${prefix}/${file.path}`;
    if (await isThere(s3, bucket, Key, file)) return;
    const same = (await others()).get(file.sha256);
    if (same !== undefined && (await isThere(s3, bucket, same, file))) {
      await s3.send(new CopyObjectCommand({ Bucket: bucket, Key, CopySource: encodeURI(`${bucket}/${same}`) }));
      copied++;
      return;
    }
    const Body = await read();
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, Metadata: { sha256: file.sha256 } }));
    sent.push(file);
  };
  const queue = [...manifest.files];
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const current = file;
      await put(current, () => readChecked(folder, current));
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  await put({ path: "manifest.json", sha256: sha256(text), bytes: text.length }, async () => text);
  const { name, version, files } = manifest;
  const sentBytes = sent.reduce((sum, { bytes }) => sum + bytes, 0);
  return { name, version, files: files.length + 1, copied, sent: sent.length, sentBytes };
}

const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");

/** Asked for when the first file is missing, and once: where in the bucket is content of which SHA-256, by the other versions' manifests. */
function otherVersions(
  s3: S3Client,
  Bucket: string,
  { name, version }: ModelManifest,
): () => Promise<ReadonlyMap<string, string>> {
  const find = async () => {
    const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: `${name}/`, Delimiter: "/" }));
    const folders = (listed.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []);
    const known = new Map<string, string>();
    for (const folder of folders.filter((one) => one !== `${name}/${version}/`)) {
      const manifest = await s3
        .send(new GetObjectCommand({ Bucket, Key: `${folder}manifest.json` }))
        .then(({ Body }) => Body!.transformToString())
        .then(parseManifest)
        .catch(() => undefined); // a version whose upload was cut off
      for (const { sha256, path } of manifest?.files ?? []) known.set(sha256, `${folder}${path}`);
    }
    return known;
  };
  let found: Promise<ReadonlyMap<string, string>> | undefined;
  return () => (found ??= find());
}

async function isThere(s3: S3Client, Bucket: string, Key: string, file: ModelFile): Promise<boolean> {
  try {
    const { Metadata, ContentLength } = await s3.send(new HeadObjectCommand({ Bucket, Key }));
    return Metadata?.sha256 === file.sha256 && ContentLength === file.bytes;
  } catch (error) {
    if ((error as Error).name === "NotFound") return false;
    throw error;
  }
}

async function readChecked(folder: string, { path, sha256: expected }: ModelFile): Promise<Buffer> {
  const data = await readFile(join(folder, path)).catch((error: Error) => {
    throw new Error(`${path} is in manifest.json but cannot be read: ${error.message}`);
  });
  if (sha256(data) !== expected) throw new Error(`${path} is not what manifest.json says; build the model again`);
  return data;
}
