import { readFileSync } from "node:fs";
import { initOf, running } from "../../local/cluster/process.ts";

/** The outermost process of a node that is not the first, out here. Killing it is losing the node. */
export function outerOf(node: string): number {
  const children = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  const first = children(initOf(running()!)!)[0];
  const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
  return children(first).find((pid) => commandOf(pid)[0] === "unshare" && commandOf(pid).at(-1) === node)!;
}
