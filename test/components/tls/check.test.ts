import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { clientPems, servingPems } from "../../../components/tls/authority.ts";
import { daysLeft, pemProblems } from "../../../components/tls/check.ts";
import { Authority, type Certificate } from "../../benchmarks/client/protocols/certificates.ts";

const host = "models.example.org";
const authority = new Authority();
const other = new Authority();
const good = authority.issue("good", { name: host });
const tomorrow = (days: number) => new Date(Date.now() + days * 86_400_000);
const pems = ({ cert, key }: Certificate, ca?: Buffer) => ({
  certificate: cert.toString(),
  key: key.toString(),
  ca: ca?.toString(),
});
const problems = (given: ReturnType<typeof pems>, now = new Date()) => pemProblems(given, { host, now });
const texts = (given: ReturnType<typeof pems>, now?: Date) =>
  problems(given, now).map(({ of, text }) => `${of} ${text}`);

it("takes a certificate that fits, with and without its authority", () => {
  expect(problems(pems(good))).toEqual([]);
  expect(problems(pems(good, authority.ca))).toEqual([]);
});

it("takes one for all names of a domain", () => {
  expect(problems(pems(authority.issue("all", { name: "*.example.org" })))).toEqual([]);
});

it("takes what the program makes itself", async () => {
  const secret = "0123456789abcdef0123456789abcdef";
  expect(pemProblems(await servingPems(secret, ["a.b", host], "P-256"), { host, now: new Date() })).toEqual([]);
  expect(pemProblems(await clientPems(secret, "a.b", "me", "P-256"), { now: new Date() })).toEqual([]);
});

it("says that it has expired, and when; or is not valid yet", () => {
  expect(texts(pems(good), tomorrow(3))).toEqual([
    expect.stringMatching(/^certificate expired on \d{4}-.*; renew it$/),
  ]);
  expect(texts(pems(good), tomorrow(-3))).toEqual([expect.stringMatching(/^certificate is not valid before \d{4}-/)]);
  expect(daysLeft(good.cert.toString(), new Date())).toBeCloseTo(1, 1);
});

it("says that the key is another's", () => {
  const stranger = authority.issue("stranger", { name: host });
  expect(texts({ ...pems(good), key: stranger.key.toString() })).toEqual([
    "key is not the key of the certificate; give the one it was requested with",
  ]);
});

it("says for which names it is", () => {
  expect(texts(pems(authority.issue("elsewhere", { name: "www.example.org" })))).toEqual([
    `certificate is not for ${host}, but for www.example.org`,
  ]);
  expect(texts(pems(authority.issue("nameless")))).toEqual([expect.stringContaining("no DNS name at all")]);
});

it("says that another authority signed it", () => {
  expect(texts(pems(good, other.ca))).toEqual([expect.stringMatching(/^ca has no authority that signed it/)]);
  expect(problems(pems(good, Buffer.concat([other.ca, authority.ca])))).toEqual([]);
});

it("says that the certificates of a chain are in the wrong order", () => {
  const chain = Buffer.concat([good.cert, other.ca]);
  expect(texts(pems({ ...good, cert: chain }))).toEqual([
    expect.stringMatching(/^certificate its certificate number 2 .* did not sign the one before it/),
  ]);
  expect(problems(pems({ ...good, cert: Buffer.concat([good.cert, authority.ca]) }, authority.ca))).toEqual([]);
});

it("refuses keys that Envoy does not take", async () => {
  const ed = await servingPems("0123456789abcdef0123456789abcdef", [host]);
  expect(pemProblems(ed, { host, now: new Date() })).toEqual([
    { of: "certificate", text: expect.stringMatching(/has a key that Envoy does not take \(ed25519\)/) },
  ]);
  const [key, cert] = ["small.key", "small.crt"].map((file) => join(authority.folder, file));
  const small = ["-newkey", "rsa:1024", "-nodes", "-subj", "/CN=small", "-addext", `subjectAltName=DNS:${host}`];
  execFileSync("openssl", ["req", "-x509", ...small, "-keyout", key!, "-out", cert!], { stdio: "ignore" });
  const given = { certificate: readFileSync(cert!, "utf8"), key: readFileSync(key!, "utf8") };
  expect(pemProblems(given, { host, now: new Date() })).toEqual([
    { of: "certificate", text: expect.stringContaining("RSA of 1024 bits") },
  ]);
});

it("says what a file holds in the place of what it should", () => {
  const { certificate, key } = pems(good);
  expect(texts({ certificate: key, key: certificate, ca: undefined })).toEqual([
    "certificate holds a private key and no certificate",
    expect.stringMatching(/^key holds no private key in PEM/),
  ]);
  expect(texts({ certificate, key: "-----BEGIN ENCRYPTED PRIVATE KEY-----", ca: "nothing" })).toEqual([
    expect.stringMatching(/^ca holds no certificate/),
    expect.stringMatching(/^key is encrypted with a passphrase/),
  ]);
});
