import { createHash } from "node:crypto";
import { build } from "esbuild";

/** A ConfigMap holds at most 1 MiB. */
const maxBytes = 1 << 20;

/**
 * The client of the benchmark Job as one CommonJS file for `node`, with all it needs. The same sources give the same
 * bytes wherever the checkout lies, so the hash stands for the client that measures.
 *
 * @returns the code and its SHA-256 in hex
 */
export async function bundleClient(): Promise<{ code: string; hash: string }> {
  const { outputFiles } = await build({
    entryPoints: ["job.ts"],
    absWorkingDir: import.meta.dirname,
    bundle: true,
    write: false,
    minify: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    legalComments: "none",
    charset: "utf8",
    logLevel: "silent",
    tsconfigRaw: {},
  });
  const code = outputFiles[0]!.text;
  if (Buffer.byteLength(code) > maxBytes) throw new Error("The client's bundle does not fit into a ConfigMap.");
  return { code, hash: createHash("sha256").update(code).digest("hex") };
}
