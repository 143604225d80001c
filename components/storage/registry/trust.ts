import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes a registry's settings where containerd looks for them, or removes them: `node trust.ts write|remove`, with the registry's
 * name in HOST, the folders in FOLDERS and the files' texts in FILES. containerd reads them with every pull.
 */
const { HOST: host = "", FOLDERS: folders = "[]", FILES: files = "{}" } = process.env;
const [what] = process.argv.slice(2);

for (const folder of JSON.parse(folders) as string[]) {
  const own = join(folder, host);
  if (what === "remove") rmSync(own, { recursive: true, force: true });
  else {
    mkdirSync(own, { recursive: true });
    for (const [name, text] of Object.entries(JSON.parse(files) as Record<string, string>))
      writeFileSync(join(own, name), text.replace('ca = "ca.crt"', `ca = "${join(own, "ca.crt")}"`));
  }
}
