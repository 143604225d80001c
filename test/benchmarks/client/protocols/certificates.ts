import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** A fresh authority in a folder of its own. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), "authority-"));
  readonly caFile = join(this.folder, "ca.crt");
  readonly ca: Buffer;

  constructor() {
    this.#openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority");
    this.ca = readFileSync(this.caFile);
  }

  /** Signs a certificate, for this name or for nobody. */
  issue(file: string, { name, days = 1 }: { name?: string; days?: number } = {}): Certificate {
    this.#openssl("req", ...newKey, "-keyout", `${file}.key`, "-out", `${file}.csr`, "-subj", `/CN=${file}`);
    writeFileSync(
      join(this.folder, `${file}.ext`),
      name ? `subjectAltName=DNS:${name}\n` : "basicConstraints=CA:FALSE\n",
    );
    const by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    const form = ["-days", String(days), "-extfile", `${file}.ext`];
    this.#openssl("x509", "-req", "-in", `${file}.csr`, ...by, ...form, "-out", `${file}.crt`);
    return this.#read(file);
  }

  /** A certificate that signs itself. */
  selfSigned(file: string, name: string): Certificate {
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
    this.#openssl("req", "-x509", ...newKey, "-keyout", `${file}.key`, "-out", `${file}.crt`, ...subject);
    return this.#read(file);
  }

  #read(file: string): Certificate {
    const certFile = join(this.folder, `${file}.crt`);
    const keyFile = join(this.folder, `${file}.key`);
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
