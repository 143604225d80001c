import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** PEM texts that somebody else made. */
export interface GivenPems {
  /** The certificate, and after it those of the authorities between it and the one that is trusted. */
  readonly certificate: string;
  readonly key: string;
  /** Certificates of the authorities that are trusted. @default - not known here */
  readonly ca?: string;
}

export interface CheckOptions {
  /** DNS name that a server's certificate has to have. @default - none: it is a client's */
  readonly host?: string;
  readonly now: Date;
}

/** What is wrong with it, and in which of the texts. */
export interface PemProblem {
  readonly of: keyof GivenPems;
  readonly text: string;
}

const LEAST_RSA_BITS = 2048;
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/** Why Envoy or a client would not take these, as far as can be told beforehand; nothing if they would. */
export function pemProblems({ certificate, key, ca }: GivenPems, { host, now }: CheckOptions): PemProblem[] {
  const [chain, authorities] = [parse(certificate), ca === undefined ? undefined : parse(ca)];
  const privateKey = parseKey(key);
  const problems: PemProblem[] = [];
  const say = (of: keyof GivenPems, text: string) => problems.push({ of, text });
  if (typeof chain === "string") say("certificate", chain);
  if (typeof authorities === "string") say("ca", authorities);
  if (typeof privateKey === "string") say("key", privateKey);
  if (typeof chain === "string") return problems;

  const [leaf] = chain;
  if (typeof privateKey !== "string" && !leaf!.checkPrivateKey(privateKey))
    say("key", "is not the key of the certificate; give the one it was requested with");
  for (const text of [
    validity(leaf!, now),
    keyKind(leaf!.publicKey),
    host === undefined ? undefined : name(leaf!, host),
  ])
    if (text) say("certificate", text);
  const broken = chain.findIndex((one, i) => i > 0 && !chain[i - 1]!.checkIssued(one));
  if (broken > 0)
    say(
      "certificate",
      `its certificate number ${broken + 1} (${one(chain[broken]!)}) did not sign the one before it; the order is: the server's own first, then each one's issuer`,
    );
  else if (typeof authorities === "object" && !isTrusted(chain.at(-1)!, authorities))
    say(
      "ca",
      `has no authority that signed it; it was signed by ${issuer(chain.at(-1)!)}, and here there is ${authorities.map(one).join(", ")}`,
    );
  return problems;
}

/** Days until it expires; negative if it has. */
export function daysLeft(certificate: string, now: Date): number {
  return (new X509Certificate(certificate).validToDate.getTime() - now.getTime()) / 86_400_000;
}

/** Every certificate of a PEM text in its order, or why there is none. */
function parse(text: string): X509Certificate[] | string {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0)
    return text.includes("PRIVATE KEY-----")
      ? "holds a private key and no certificate"
      : "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    return `holds a certificate that cannot be read: ${(error as Error).message}`;
  }
}

function parseKey(text: string): KeyObject | string {
  if (/ENCRYPTED/.test(text))
    return "is encrypted with a passphrase; give it without one (openssl pkey -in FILE -out NEW)";
  try {
    return createPrivateKey(text);
  } catch {
    return "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)";
  }
}

function validity({ validFromDate, validToDate }: X509Certificate, now: Date): string | undefined {
  const day = (date: Date) => date.toISOString();
  if (now > validToDate) return `expired on ${day(validToDate)}; renew it`;
  return now < validFromDate ? `is not valid before ${day(validFromDate)}` : undefined;
}

function keyKind(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength = 0, namedCurve = "" } = {} } = key;
  if (type === "rsa" && modulusLength >= LEAST_RSA_BITS) return undefined;
  if (type === "ec" && CURVES.includes(namedCurve)) return undefined;
  const found = type === "rsa" ? `RSA of ${modulusLength} bits` : type === "ec" ? `EC on ${namedCurve}` : type;
  return `has a key that Envoy does not take (${found}); it takes RSA from ${LEAST_RSA_BITS} bits, and EC on P-256, P-384, P-521`;
}

function name(leaf: X509Certificate, host: string): string | undefined {
  if (leaf.checkHost(host, { subject: "never" })) return undefined;
  return `is not for ${host}, but for ${leaf.subjectAltName?.replaceAll("DNS:", "") ?? "no DNS name at all (subjectAltName)"}`;
}

const isTrusted = (last: X509Certificate, authorities: readonly X509Certificate[]): boolean =>
  authorities.some(
    (ca) => last.fingerprint256 === ca.fingerprint256 || (last.checkIssued(ca) && last.verify(ca.publicKey)),
  );

const oneLine = (text: string) => text.replaceAll("\n", ", ");
const one = ({ subject }: X509Certificate) => oneLine(subject || "without a subject");
const issuer = ({ issuer }: X509Certificate) => oneLine(issuer);
