import { createHash } from "node:crypto";
import { build } from "esbuild";

/** A ConfigMap holds at most 1 MiB. */
const MAX_BYTES = 1 << 20;

/** A program as one file for `node`, to be put into a ConfigMap. */
export interface Bundle {
  readonly code: string;
  /** SHA-256 of the code, in hexadecimal digits. */
  readonly hash: string;
}

/**
 * Bundles a TypeScript program with all it needs. The same sources give the same bytes wherever the checkout lies, so the hash
 * stands for the program.
 *
 * @param folder absolute path
 * @param entry file in it
 */
export async function bundle(folder: string, entry: string, format: "cjs" | "esm"): Promise<Bundle> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    absWorkingDir: folder,
    bundle: true,
    write: false,
    minify: true,
    platform: "node",
    target: "node22",
    format,
    legalComments: "none",
    charset: "utf8",
    logLevel: "silent",
    tsconfigRaw: {},
  });
  const code = outputFiles[0].text;
  if (Buffer.byteLength(code) > MAX_BYTES) throw new Error(`The bundle of ${entry} does not fit into a ConfigMap.`);
  return { code, hash: createHash("sha256").update(code).digest("hex") };
}
