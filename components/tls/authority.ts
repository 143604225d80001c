import { createECDH, createPrivateKey, createPublicKey, hkdfSync, type KeyObject, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import "reflect-metadata"; // the library below looks for it when it is loaded
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PublicKey,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** PEM texts of what a TLS server or client shows and of the authority that vouches for it. */
export interface Pems {
  /** Certificate of the authority; public. */
  readonly ca: string;
  /** Certificate of the server or client; public. */
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: string;
}

/** Of the server's or client's own key. BoringSSL, and so Envoy, shows and accepts no `Ed25519`; the authority always has that. */
export type KeyType = "Ed25519" | "P-256";

const ALGORITHM = "Ed25519";
/** Validity without an end that anyone would have to remember (RFC 5280, 4.1.2.5): a new secret replaces it. */
const VALIDITY = { notBefore: new Date("2020-01-01T00:00:00Z"), notAfter: new Date("9999-12-31T23:59:59Z") };

/**
 * An authority of its own and a server certificate for `names`, both derived from a secret: the same secret gives the same bytes,
 * so that nothing changes between two runs of the program. The authority's key is Ed25519, whose signatures do not depend on chance.
 *
 * @param secret at least 32 random characters that nobody else has
 * @param names DNS names and IP addresses; the first is the subject
 */
export async function servingPems(
  secret: string,
  names: readonly string[],
  keyType: KeyType = "Ed25519",
): Promise<Pems> {
  return issued(secret, {
    issuer: `CN=${names[0]} authority`,
    subject: `CN=${names[0]}`,
    serialNumber: "02",
    key: leafKey(secret, "server", keyType),
    extensions: [
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? "ip" : "dns", value }))),
    ],
  });
}

/**
 * A client certificate of the authority that `servingPems` makes of the same secret.
 *
 * @param server first of the server's names
 * @param subject who the client is
 */
export async function clientPems(secret: string, server: string, subject: string, keyType: KeyType): Promise<Pems> {
  return issued(secret, {
    issuer: `CN=${server} authority`,
    subject: `CN=${subject}`,
    serialNumber: "03",
    key: leafKey(secret, `client ${subject}`, keyType),
    extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
  });
}

interface Leaf {
  readonly issuer: string;
  readonly subject: string;
  readonly serialNumber: string;
  readonly key: KeyObject;
  readonly extensions: readonly Extension[];
}

async function issued(secret: string, { issuer, subject, serialNumber, key, extensions }: Leaf): Promise<Pems> {
  const authority = await signingKeys(secret);
  const signed = { ...VALIDITY, issuer, signingKey: authority.privateKey, signingAlgorithm: ALGORITHM };
  const ca = await X509CertificateGenerator.create({
    ...signed,
    serialNumber: "01",
    subject: issuer,
    publicKey: authority.publicKey,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const certificate = await X509CertificateGenerator.create({
    ...signed,
    serialNumber,
    subject,
    publicKey: new PublicKey(createPublicKey(key).export({ format: "der", type: "spki" })),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      ...extensions,
    ],
  });
  return {
    ca: pem(ca.toString("pem")),
    certificate: pem(certificate.toString("pem")),
    key: key.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}

const pem = (text: string) => `${text.trim()}\n`;

/** The key that belongs to a purpose. */
function leafKey(secret: string, purpose: string, type: KeyType): KeyObject {
  return type === "Ed25519" ? ed25519(derived(secret, purpose, 32)) : p256(derived(secret, purpose, 48));
}

/** The authority's. */
async function signingKeys(secret: string) {
  if (secret.length < 32) throw new Error("a certificate needs a secret of at least 32 characters");
  const key = ed25519(derived(secret, "authority", 32));
  const { crv, kty, x } = key.export({ format: "jwk" });
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey("pkcs8", key.export({ format: "der", type: "pkcs8" }), ALGORITHM, false, ["sign"]),
    webcrypto.subtle.importKey("jwk", { crv, kty, x }, ALGORITHM, true, ["verify"]),
  ]);
  return { privateKey, publicKey };
}

const derived = (secret: string, purpose: string, bytes: number) =>
  Buffer.from(hkdfSync("sha256", secret, "inference-stack", purpose, bytes));

function ed25519(seed: Buffer): KeyObject {
  // The fixed beginning of every Ed25519 key in PKCS #8 (RFC 8410).
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** Order of the group of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** @param seed 16 bytes more than the number has, so that no number is likelier than another (FIPS 186-5, A.2.1) */
function p256(seed: Buffer): KeyObject {
  const d = Buffer.from(
    ((BigInt(`0x${seed.toString("hex")}`) % (ORDER - 1n)) + 1n).toString(16).padStart(64, "0"),
    "hex",
  );
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(d);
  const point = curve.getPublicKey();
  const [x, y] = [point.subarray(1, 33), point.subarray(33)];
  const text = (bytes: Buffer) => bytes.toString("base64url");
  return createPrivateKey({ key: { kty: "EC", crv: "P-256", d: text(d), x: text(x), y: text(y) }, format: "jwk" });
}
