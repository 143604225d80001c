import { createPrivateKey, hkdfSync, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import "reflect-metadata"; // the library below looks for it when it is loaded
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** PEM texts of what a TLS server shows and of the authority that vouches for it. */
export interface ServingPems {
  /** Certificate of the authority; public. */
  readonly ca: string;
  /** Certificate of the server; public. */
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: string;
}

const ALGORITHM = "Ed25519";
/** Validity without an end that anyone would have to remember (RFC 5280, 4.1.2.5): a new secret replaces it. */
const VALIDITY = { notBefore: new Date("2020-01-01T00:00:00Z"), notAfter: new Date("9999-12-31T23:59:59Z") };

/**
 * An authority of its own and a server certificate for `names`, both derived from a secret: the same secret gives the same bytes,
 * so that nothing changes between two runs of the program. Ed25519, whose signatures do not depend on chance.
 *
 * @param secret at least 32 random characters that nobody else has
 * @param names DNS names and IP addresses; the first is the subject
 */
export async function servingPems(secret: string, names: readonly string[]): Promise<ServingPems> {
  if (secret.length < 32) throw new Error("a certificate needs a secret of at least 32 characters");
  const [authority, server] = await Promise.all([keysOf(secret, "authority"), keysOf(secret, "server")]);
  const issuer = `CN=${names[0]} authority`;
  const ca = await X509CertificateGenerator.create({
    ...VALIDITY,
    serialNumber: "01",
    subject: issuer,
    issuer,
    publicKey: authority.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const certificate = await X509CertificateGenerator.create({
    ...VALIDITY,
    serialNumber: "02",
    subject: `CN=${names[0]}`,
    issuer,
    publicKey: server.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? "ip" : "dns", value }))),
    ],
  });
  return { ca: pem(ca.toString("pem")), certificate: pem(certificate.toString("pem")), key: server.pem };
}

const pem = (text: string) => `${text.trim()}\n`;

/** The key pair that belongs to a purpose. */
async function keysOf(secret: string, purpose: string) {
  const seed = Buffer.from(hkdfSync("sha256", secret, "inference-stack", purpose, 32));
  // The fixed beginning of every Ed25519 key in PKCS #8 (RFC 8410).
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { crv, kty, x } = key.export({ format: "jwk" });
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]),
    webcrypto.subtle.importKey("jwk", { crv, kty, x }, ALGORITHM, true, ["verify"]),
  ]);
  return { privateKey, publicKey, pem: key.export({ format: "pem", type: "pkcs8" }).toString() };
}
