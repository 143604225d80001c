import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsClient } from "aws4fetch";
import { type ModelFile, parseManifest } from "../manifest.ts";

export interface FetchOptions {
  /** URL of the object store, without the bucket. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Folder of the model's version in the bucket. */
  readonly prefix: string;
  /** Which of its files: those whose path begins with this. It is left out of the paths under `target`. */
  readonly subPath: string;
  readonly target: string;
  /** New attempts end after this many seconds. @default 120 */
  readonly deadlineSeconds?: number;
  /** Before the first new attempt; doubled for each further one up to 8 s. @default 500 */
  readonly pauseMs?: number;
}

/** A fault that a new attempt will not mend. */
class Refused extends Error {}

/** Downloads a model's files and checks them against its manifest. */
export async function fetchModel(options: FetchOptions): Promise<{ files: number; bytes: number; seconds: number }> {
  const start = performance.now();
  const { prefix, subPath, target } = options;
  const get = downloader(options);
  const manifest = parseManifest((await get("manifest.json")).toString());
  const wanted = manifest.files.filter(({ path }) => path.startsWith(subPath));
  if (wanted.length === 0) throw new Error(`model ${prefix} has no files under ${subPath}`);
  const queue = [...wanted];
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const to = join(target, file.path.slice(subPath.length));
      const data = await get(file.path, file);
      await mkdir(dirname(to), { recursive: true });
      await writeFile(to, data);
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  const bytes = wanted.reduce((sum, file) => sum + file.bytes, 0);
  return { files: wanted.length, bytes, seconds: (performance.now() - start) / 1000 };
}

/** Tries until the deadline: the store may just be starting, and its name may not be known yet. */
function downloader(options: FetchOptions): (path: string, file?: ModelFile) => Promise<Buffer> {
  const {
    endpoint,
    region,
    bucket,
    prefix,
    accessKeyId,
    secretAccessKey,
    deadlineSeconds = 120,
    pauseMs = 500,
  } = options;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3", retries: 0 });
  const deadline = AbortSignal.timeout(deadlineSeconds * 1000);
  return async (path, file) => {
    const key = `${bucket}/${prefix}/${path}`;
    let why = "no answer";
    for (let pause = pauseMs; ; pause = Math.min(pause * 2, 8000)) {
      try {
        const signal = AbortSignal.any([deadline, AbortSignal.timeout(60_000)]);
        const response = await client.fetch(`${endpoint}/${key}`, { signal });
        const data = Buffer.from(await response.arrayBuffer());
        if (!response.ok) throw refusal(key, response.status, data.toString());
        if (file) verify(key, file, data);
        return data;
      } catch (error) {
        if (error instanceof Refused) throw error;
        if (deadline.aborted) throw new Error(`${key} from ${endpoint}: ${why} (gave up after ${deadlineSeconds} s)`);
        why = reason(error as Error);
        console.log(`${key}: ${why}; trying again in ${pause / 1000} s`);
        await sleep(pause, undefined, { signal: deadline }).catch(() => {});
      }
    }
  };
}

function refusal(key: string, status: number, body: string): Error {
  const code = /<Code>(\w+)<\/Code>/.exec(body)?.[1] ?? `HTTP ${status}`;
  if (status === 404) return new Refused(`${key} is not in the object store (${code}); was the model uploaded?`);
  if (status === 403) return new Refused(`the object store refuses access to ${key} (${code})`);
  return new Error(`the object store answers ${code}`);
}

function verify(key: string, { sha256, bytes }: ModelFile, data: Buffer): void {
  const found = createHash("sha256").update(data).digest("hex");
  if (found !== sha256)
    throw new Refused(
      `${key} has SHA-256 ${found} (${data.length} bytes), but the manifest says ${sha256} (${bytes} bytes)`,
    );
}

/** What is behind the "fetch failed" of fetch. */
function reason(error: Error): string {
  const cause = error.cause as (Error & { code?: string }) | undefined;
  return cause?.message || cause?.code || error.message;
}
