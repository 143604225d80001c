import { createCipheriv, createDecipheriv, pbkdf2Sync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Grant, policyOf, userOf } from "../../../components/storage/minio/policies.ts";
import { seal } from "../../../components/storage/minio/sealed.ts";

const right = fc.constantFrom<Grant["right"]>("read", "write", "manage");
const bucket = fc.stringMatching(/^[a-z0-9][-a-z0-9]{1,20}[a-z0-9]$/);

describe("a user of the store", () => {
  it("can reach nothing outside its bucket, and do nothing to the store itself", () => {
    fc.assert(
      fc.property(right, bucket, (right, bucket) => {
        for (const { Effect, Action, Resource } of policyOf({ bucket, right }).Statement) {
          expect(Effect).toBe("Allow");
          for (const action of Action) expect(action).toMatch(/^s3:(Get|Put|Delete|List|Abort)[A-Za-z]+$/);
          for (const resource of Resource)
            expect([`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`]).toContain(resource);
        }
      }),
    );
  });

  it("can do what its right says, each more than the one before", () => {
    const actions = (right: Grant["right"]) =>
      policyOf({ bucket: "b", right }).Statement.flatMap(({ Action }) => Action);
    const changing = (right: Grant["right"]) => actions(right).filter((action) => !/:(Get|List)/.test(action));
    expect(changing("read")).toEqual([]);
    expect(changing("write")).toEqual(["s3:PutObject"]);
    expect(changing("manage")).toEqual(["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]);
    for (const action of actions("write")) expect(actions("manage")).toContain(action);
    expect(userOf({ bucket: "models", right: "read" })).toBe("models-read");
  });
});

describe("a sealed request", () => {
  /** What MinIO does with it. */
  const open = (secretKey: string, sealed: Buffer) => {
    const [salt, id, nonce, text] = [sealed.subarray(0, 32), sealed[32], sealed.subarray(33, 41), sealed.subarray(41)];
    expect(id).toBe(2);
    const key = pbkdf2Sync(secretKey, salt, 8192, 32, "sha256");
    const part = (number: number, authenticated: Buffer, piece: Buffer) => {
      const cipher = createDecipheriv("aes-256-gcm", key, Buffer.concat([nonce, Buffer.of(number, 0, 0, 0)]));
      cipher.setAAD(authenticated).setAuthTag(piece.subarray(-16));
      return Buffer.concat([cipher.update(piece.subarray(0, -16)), cipher.final()]).toString();
    };
    // The tag of nothing, which the first byte of 0x80 marks as belonging to the last piece.
    const empty = createEmptyTag(key, nonce);
    return part(1, Buffer.concat([Buffer.of(0x80), empty]), text);
  };

  it("can be opened with the secret key of who sent it, and with no other", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(open("key", seal("key", text))).toBe(text);
      }),
      { numRuns: 10 },
    );
    expect(() => open("other", seal("key", "text"))).toThrow();
  });

  it("is never the same twice, and says nothing of what is in it", () => {
    const [a, b] = [seal("key", "the password"), seal("key", "the password")];
    expect(a.equals(b)).toBe(false);
    expect(a.toString("latin1")).not.toContain("password");
    expect(() => seal("key", "x".repeat(20_000))).toThrow("20000 bytes is more than 16384");
  });
});

function createEmptyTag(key: Buffer, nonce: Buffer): Buffer {
  // GCM of an empty text is its tag alone; it can only be had by sealing.
  const cipher = createCipheriv("aes-256-gcm", key, Buffer.concat([nonce, Buffer.of(0, 0, 0, 0)])).setAAD(
    Buffer.alloc(0),
  );
  cipher.final();
  return cipher.getAuthTag();
}
