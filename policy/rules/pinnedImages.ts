import { containersOf, podsOf } from "./pods.ts";
import type { ResourceRule } from "./rule.ts";

/** Tags that move on to whatever was built last. */
const moving = /^(latest|stable|edge|nightly|dev|main|master)$|-latest$/i;

export const pinnedImages: ResourceRule = {
  name: "pinned-images",
  description: "An image has a digest or the tag of one version: what was measured must be what is deployed next time.",
  level: "mandatory",
  check: (resource) =>
    podsOf(resource)
      .flatMap(containersOf)
      .flatMap(({ path, container }) => problemOf(container.image).map((problem) => `${path}.image: ${problem}`)),
};

function problemOf(image: unknown): string[] {
  if (typeof image !== "string" || image === "") return []; // an operator fills it in
  const [reference, digest] = image.split("@");
  if (digest !== undefined)
    return /^sha256:[0-9a-f]{64}$/.test(digest)
      ? []
      : [`"${image}" has a digest that is none; a SHA-256 has 64 digits`];
  const tag = /:([^:/]+)$/.exec(reference!)?.[1];
  if (tag === undefined) return [`"${image}" has neither tag nor digest; name a version, or better a digest`];
  return moving.test(tag) ? [`"${image}" has a tag that moves; name a version, or better a digest`] : [];
}
