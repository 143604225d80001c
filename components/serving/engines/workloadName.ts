import { createHash } from "node:crypto";

/** Names of pods and revisions are derived from it and are limited to 63 characters, and a node's name may be long. At most 40. */
export function workloadName(service: string, node: string): string {
  const name = `${service}-${node.replaceAll(".", "-")}`;
  if (name.length <= 40 && !node.includes(".")) return name;
  return `${name.slice(0, 31)}-${createHash("sha256").update(node).digest("hex").slice(0, 8)}`;
}
