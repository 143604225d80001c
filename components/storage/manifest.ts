/** `manifest.json` at the top of a model's folder: what the folder must hold. */
export interface ModelManifest {
  readonly name: string;
  /** Changes with the content. */
  readonly version: string;
  readonly files: readonly ModelFile[];
}

export interface ModelFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Reads a manifest from its JSON text.
 *
 * @throws Error that says what is wrong with it
 */
export function parseManifest(text: string): ModelManifest {
  let manifest: ModelManifest;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    throw new Error(`manifest.json is not JSON: ${(error as Error).message}`);
  }
  const isName = (value: unknown) => typeof value === "string" && /^[A-Za-z0-9][-._A-Za-z0-9]*$/.test(value);
  if (!isName(manifest?.name))
    throw new Error(`manifest.json: "name" is ${JSON.stringify(manifest?.name)}, not a name`);
  if (!isName(manifest.version))
    throw new Error(`manifest.json: "version" is ${JSON.stringify(manifest.version)}, not a version`);
  if (!Array.isArray(manifest.files) || manifest.files.length === 0) throw new Error(`manifest.json lists no files`);
  for (const file of manifest.files) {
    const isInside =
      typeof file?.path === "string" && file.path.split("/").every((part: string) => !["", ".", ".."].includes(part));
    if (!isInside)
      throw new Error(`manifest.json: ${JSON.stringify(file?.path)} is not a path inside the model's folder`);
    if (!/^[0-9a-f]{64}$/.test(file.sha256) || !Number.isInteger(file.bytes))
      throw new Error(`manifest.json: ${file.path} has no "sha256" and "bytes"`);
  }
  return manifest;
}
