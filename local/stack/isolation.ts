import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { confineSystem } from "../cluster/cgroups.ts";
import { PROJECT } from "./config.ts";

/**
 * Keeps the embedded control plane on the cores that the stack sets apart from serving, where it sets any apart.
 * Cores are counted as the CPU plan counts them: `reserved` takes the lowest.
 */
export function confine(file: string): void {
  const { config = {} } = load(readFileSync(file, "utf8")) as { config?: Record<string, unknown> };
  const key = <T>(name: string) => config[`${PROJECT}:${name}`] as T | undefined;
  if (key<{ kind?: string }>("cluster")?.kind !== "embedded") return;
  const reserved = key<{ system?: number; client?: number }>("reserved");
  const cores =
    key<{ numa: number[][] }[]>("topology")?.[0]
      .numa.flat()
      .sort((a, b) => a - b) ?? [];
  const apart = (reserved?.system ?? 0) + (reserved?.client ?? 0);
  confineSystem(apart > 0 && apart < cores.length ? cores.slice(0, apart).join(",") : undefined);
}
