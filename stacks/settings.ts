import type { Setting, Settings } from "../benchmarks/sweep/store.ts";

/** A stack's config without the project's prefix, not checked yet. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** The config with some dotted keys set. */
export function withSettings(config: RawConfig, settings: Settings): RawConfig {
  return Object.entries(settings).reduce((changed, [key, value]) => withValue(changed, key.split("."), value), config);
}

function withValue(config: RawConfig, [first, ...path]: readonly string[], value: Setting): RawConfig {
  if (path.length === 0) return { ...config, [first!]: value };
  return { ...config, [first!]: withValue((config[first!] ?? {}) as RawConfig, path, value) };
}
