import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { packageVersion } from "./version.ts";

const providers = ["kubernetes", "command", "random"];
const main = join(import.meta.dirname, "main.ts");

/**
 * Puts the plugins where the engine looks for them: providers into its cache, in the versions that the npm packages ask
 * for, and the language host beside the engine. Each is a line of shell that starts Node on the TypeScript source, so an
 * edit takes effect at once. Quick, and safe to repeat or to run twice at once.
 *
 * @param pulumiHome the engine's PULUMI_HOME
 * @param binDir the folder of the `pulumi` executable
 * @param node the Node (>= 22.18) that runs plugins and programs
 */
export async function installPlugins(pulumiHome: string, binDir: string, node: string): Promise<void> {
  const wrappers = providers.map((name) => {
    const folder = join(pulumiHome, "plugins", `resource-${name}-v${packageVersion(name)}`);
    return write(join(folder, `pulumi-resource-${name}`), script(node, name));
  });
  wrappers.push(write(join(binDir, "pulumi-language-nodejs"), script(node, "language-nodejs")));
  await Promise.all(wrappers);
}

const script = (node: string, plugin: string): string =>
  `#!/bin/sh\nexec ${quote(resolve(node))} --disable-warning=ExperimentalWarning ${quote(main)} ${plugin} "$@"\n`;

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Writes the file in one step, and only if it says something else: an engine may be starting it right now. */
async function write(file: string, text: string): Promise<void> {
  if ((await readFile(file, "utf8").catch(() => "")) === text) return;
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${randomUUID()}`;
  await writeFile(fresh, text);
  await chmod(fresh, 0o755);
  await rename(fresh, file);
}
