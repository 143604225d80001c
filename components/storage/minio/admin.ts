import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { AwsV4Signer } from "aws4fetch";
import { Agent, request } from "undici";
import { type Connection, s3Client } from "../reach/connect.ts";
import { type Grant, policyOf, userOf } from "./policies.ts";
import { seal } from "./sealed.ts";

/** A grant, and the password of its user. */
export interface User extends Grant {
  readonly secretKey: string;
}

/** Attempts while the store is still starting, a second apart. */
const ATTEMPTS = 20;

/**
 * Makes the buckets, and of each user one that may do what its grant says and nothing else. Done again it changes nothing; a
 * password that is new replaces the old one.
 */
export async function setUp(store: Connection, users: readonly User[]): Promise<void> {
  const s3 = s3Client(store);
  const agent = new Agent({ connect: store.tls });
  const put = (path: string, query: Record<string, string>, body: string | Buffer = "") =>
    admin(store, agent, path, query, body);
  try {
    for (const bucket of new Set(users.map((user) => user.bucket)))
      await s3.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
        if (error.name !== "BucketAlreadyOwnedByYou") throw error;
      });
    for (const user of users) {
      const name = userOf(user);
      const password = JSON.stringify({ secretKey: user.secretKey, status: "enabled" });
      await put("add-canned-policy", { name }, JSON.stringify(policyOf(user)));
      await put("add-user", { accessKey: name }, seal(store.secretAccessKey, password));
      await put("set-user-or-group-policy", { policyName: name, userOrGroup: name, isGroup: "false" });
    }
  } finally {
    s3.destroy();
    await agent.close();
  }
}

/** One request of MinIO's admin API, which signs like S3. */
async function admin(
  { url, region, accessKeyId, secretAccessKey }: Connection,
  dispatcher: Agent,
  path: string,
  query: Record<string, string>,
  content: string | Buffer,
): Promise<void> {
  const body = Buffer.from(content);
  const signer = new AwsV4Signer({
    method: "PUT",
    url: `${url}/minio/admin/v3/${path}?${new URLSearchParams(query)}`,
    headers: { "x-amz-content-sha256": createHash("sha256").update(body).digest("hex") },
    body,
    accessKeyId,
    secretAccessKey,
    region,
    service: "s3",
  });
  for (let attempt = 1; ; attempt += 1) {
    const signed = await signer.sign();
    const response = await request(signed.url, {
      method: "PUT",
      headers: Object.fromEntries(signed.headers),
      body,
      dispatcher,
    });
    const text = await response.body.text();
    if (response.statusCode < 300) return;
    const { Code, Message } = answerOf(text);
    if (response.statusCode < 500 || attempt === ATTEMPTS)
      throw new Error(`${path}: the object store answers ${Code ?? `HTTP ${response.statusCode}`}: ${Message ?? text}`);
    await sleep(1000);
  }
}

function answerOf(text: string): { Code?: string; Message?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
