import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import type { Bundle } from "../../bundle.ts";

/** The live page as one HTML file that loads nothing. The same sources give the same bytes. */
export async function bundlePage(): Promise<Bundle> {
  const { outputFiles } = await build({
    entryPoints: ["page.js"],
    absWorkingDir: import.meta.dirname,
    bundle: true,
    write: false,
    outdir: "out",
    minify: true,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    charset: "utf8",
    logLevel: "silent",
    tsconfigRaw: {},
  });
  const output = (extension: string) => outputFiles.find(({ path }) => path.endsWith(extension))!.text;
  const code = readFileSync(join(import.meta.dirname, "page.html"), "utf8")
    .replace("/* page.css */", () => output(".css"))
    .replace("/* page.js */", () => output(".js").replaceAll("</script", "<\\/script"));
  return { code, hash: createHash("sha256").update(code).digest("hex") };
}
