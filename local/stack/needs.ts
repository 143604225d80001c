import type { Need } from "../toolchain/index.ts";
import { mergedConfig, PROJECT } from "./config.ts";

/** What every stack on the embedded cluster runs on. */
const always: readonly Need[] = ["pulumi", "kubernetes", "model", "pause", "coredns", "minio", "node"];

/**
 * What has to be built for a stack: nothing that it does not deploy.
 *
 * @param sets `key=value` settings of this run, over the stack's file
 */
export function needsOf(stack: string, sets: readonly string[]): Need[] {
  const config = mergedConfig(stack, {}, sets);
  const key = <T>(name: string) => config[`${PROJECT}:${name}`] as T | undefined;
  if (key<{ kind?: string }>("cluster")?.kind !== "embedded") return ["pulumi"];
  return [
    ...always,
    ...(key<{ kind?: string }>("server")?.kind === "mlserver" ? (["mlserver"] as const) : (["triton"] as const)),
    ...(key("engine") === "seldon" ? (["seldon-operator"] as const) : []),
    ...(key<{ enabled?: boolean }>("training")?.enabled ? (["training-operator", "training"] as const) : []),
    ...(key<{ enabled?: boolean }>("locust")?.enabled ? (["locust"] as const) : []),
    ...(key<{ enabled?: boolean }>("gateway")?.enabled ? (["istiod", "envoy"] as const) : []),
    ...(key<{ enabled?: boolean }>("registry")?.enabled ? (["registry"] as const) : []),
    ...(key<{ enabled?: boolean }>("metricsServer")?.enabled ? (["metrics-server"] as const) : []),
  ];
}
