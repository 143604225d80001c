import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { state } from "../../../local/paths.ts";
import type { Environment } from "./project.ts";

/**
 * The cluster of the tests, unless CONFORMANCE_KUBECONFIG, CONFORMANCE_PULUMI, CONFORMANCE_KUBECTL and CONFORMANCE_IMAGE
 * name something else.
 */
export async function environment(): Promise<Environment> {
  return {
    kubeconfig: process.env.CONFORMANCE_KUBECONFIG ?? state.kubeconfig,
    pulumi: process.env.CONFORMANCE_PULUMI ?? found("pulumi"),
    kubectl: process.env.CONFORMANCE_KUBECTL ?? found("kubectl"),
    image: process.env.CONFORMANCE_IMAGE ?? "localhost/busybox:1",
  };
}

function found(command: string): string {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find(existsSync);
  if (!path) throw new Error(`no ${command} on PATH`);
  return path;
}
