import { createHash } from "node:crypto";
import { build } from "esbuild";

/**
 * The fetch program as one file for `node`. The same sources give the same bytes wherever the checkout lies.
 *
 * @returns the code and its SHA-256 in hex
 */
export async function bundleFetch(): Promise<{ code: string; hash: string }> {
  const { outputFiles } = await build({
    entryPoints: ["main.ts"],
    absWorkingDir: import.meta.dirname,
    bundle: true,
    write: false,
    minify: true,
    platform: "node",
    target: "node22",
    format: "esm",
    legalComments: "none",
    charset: "utf8",
    logLevel: "silent",
    tsconfigRaw: {},
  });
  const code = outputFiles[0].text;
  return { code, hash: createHash("sha256").update(code).digest("hex") };
}
