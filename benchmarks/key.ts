import { createHash } from "node:crypto";

/**
 * Key of an experiment: a hash of everything that was chosen for it, independent of the order of properties. Equal choices have
 * equal keys, and a key that was measured is not measured again.
 *
 * @returns 12 hexadecimal digits
 */
export function experimentKey(chosen: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(chosen)))
    .digest("hex")
    .slice(0, 12);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
