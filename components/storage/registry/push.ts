import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { dockerConfig } from "./dockerConfig.ts";

export interface PushTarget {
  /** Host and port as dialled from here; the certificate names the host. */
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** PEM of the authority that vouches for it. */
  readonly ca: string;
  /** The last lines that the registry itself logged. */
  log(): Promise<string>;
}

/**
 * Copies an image from a docker-archive into a registry, with skopeo; layers that are there do not travel. When this returns, the
 * registry has acknowledged all of it.
 *
 * @returns seconds it took
 * @throws Error in words for the user
 */
export async function pushImage(archive: string, image: string, target: PushTarget): Promise<number> {
  if (!existsSync(archive)) throw new Error(`there is no file ${archive}`);
  const folder = mkdtempSync(join(tmpdir(), "image-push-"));
  const start = performance.now();
  try {
    const authFile = join(folder, "auth.json");
    writeFileSync(authFile, dockerConfig(target.host, target.user, target.password), { mode: 0o600 });
    writeFileSync(join(folder, "ca.crt"), target.ca);
    const to = ["--dest-authfile", authFile, "--dest-cert-dir", folder, "--retry-times", "3"];
    await promisify(execFile)("skopeo", [
      ...["copy", "--quiet", "--insecure-policy", ...to],
      `docker-archive:${archive}`,
      `docker://${target.host}/${image}`,
    ]);
    return (performance.now() - start) / 1000;
  } catch (error) {
    throw new Error(await explain(image, error as Error & { stderr?: string }, target));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** skopeo knows what the registry answered, but only the registry knows why. */
async function explain(
  image: string,
  { stderr, message, code }: Error & { stderr?: string; code?: string | number },
  target: PushTarget,
): Promise<string> {
  if (code === "ENOENT") return "skopeo is not installed; it copies images into registries (Debian package skopeo)";
  const said = (/level=fatal msg="(.*)"/.exec(stderr ?? "")?.[1] ?? stderr ?? message).replaceAll('\\"', '"').trim();
  if (/unauthorized|authentication required/i.test(said))
    return `${image}: the registry does not know the password: ${said}`;
  if (/x509|certificate/.test(said)) return `${image}: the registry's certificate is not one to trust: ${said}`;
  const log = await target.log().catch(() => "");
  if (/no space left on device|XMinioStorageFull|QuotaExceeded/i.test(log))
    return `${image}: the registry is full. Give it a larger registry.size, or delete images and collect what they leave (docs/registry.md).`;
  return `${image}: ${said}`;
}
