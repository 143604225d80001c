import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The version of the npm package `@pulumi/<name>`; the engine asks for the plugin of exactly this version. */
export function packageVersion(name: string): string {
  return JSON.parse(readFileSync(require.resolve(`@pulumi/${name}/package.json`), "utf8")).version;
}
