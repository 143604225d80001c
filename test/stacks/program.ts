import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import * as settings from "@pulumi/pulumi/runtime/settings.js";
import { load } from "js-yaml";
import { vi } from "vitest";
import { goodRun } from "../benchmarks/client/facts.ts";

/** A resource the program registered: what it sent to the engine. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: manifests of every kind
  readonly inputs: any;
}

export interface Program {
  readonly resources: Registered[];
  /** What the program read of the cluster. */
  readonly reads: { readonly type: string; readonly id: string }[];
  // biome-ignore lint/suspicious/noExplicitAny: resolved outputs of the program
  readonly exports: any;
}

/** Not in the published types: all that was registered has arrived. */
const { waitForRPCs } = settings as unknown as { waitForRPCs(): Promise<void> };

const SECRET = "4dabf18193072939515e22adb298388d";

/** What the Job leaves in the result's ConfigMap of this name when all goes well. */
export function measured(configMap: string): string {
  const key = configMap.replace(/^.*-result-/, "");
  return JSON.stringify({ ...goodRun(), key, verdict: { valid: true, reasons: [], notes: [] } });
}

/** Config as `Pulumi.dev.yaml` and what `npm start` adds to it give it, for two cores. */
export const dev = {
  cluster: { kind: "embedded", kubeconfig: "/state/kubeconfig", context: "inference-stack" },
  instances: 1,
  cpus: 1,
  sockets: 1,
  reserved: { client: 1 },
  topology: [{ name: "node1", numa: [[0, 1]], smt: 1 }],
  model: { name: "lite0", version: "0123456789ab" },
  objectStore: { protect: false },
  benchmark: { clients: 3, warmup: 3, duration: 15 },
};

/** The config in a file of the checkout. */
export function presetConfig(stack: string): Record<string, unknown> {
  const file = load(readFileSync(join(import.meta.dirname, "../..", `Pulumi.${stack}.yaml`), "utf8")) as {
    config: Record<string, unknown>;
  };
  const own = Object.entries(file.config).filter(([key]) => key.startsWith("inference-stack:"));
  return Object.fromEntries(own.map(([key, value]) => [key.slice("inference-stack:".length), value]));
}

/**
 * Runs stacks/index.ts without an engine.
 *
 * @param options.preview values that only a cluster knows stay unknown
 * @param options.result text the Job left in the result's ConfigMap
 */
export async function runProgram(
  config: Record<string, unknown>,
  options: { preview?: boolean; result?: (name: string) => string } = {},
): Promise<Program> {
  const resources: Registered[] = [];
  const reads: Program["reads"] = [];
  const mocks: pulumi.runtime.Mocks = {
    newResource({ type, name, inputs, id }) {
      const isRead = Boolean(id);
      if (isRead) reads.push({ type, id: id! });
      else resources.push({ type, name, inputs: plain(inputs) });
      const state = { ...inputs };
      if (type === "random:index/randomPassword:RandomPassword") state.result = `${name}-generated`.padEnd(64, ".");
      if (type === SERVICE) state.spec = { clusterIP: "10.96.0.99", ...inputs.spec };
      if (isRead && id!.includes("/"))
        state.data = type === SECRET_TYPE ? given : { "result.json": options.result?.(id!.split("/")[1]) ?? "" };
      return { id: id || `${name}-id`, state };
    },
    call: () => ({}),
  };
  await pulumi.runtime.setMocks(mocks, "inference-stack", "dev", options.preview ?? false);
  const entries = Object.entries(config).map(([key, value]) => [
    `inference-stack:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(entries));
  vi.resetModules(); // the program is a module: it runs when it is imported
  const { ...exports } = await import("../../stacks/index.ts");
  const settled = options.preview ? {} : await settle(exports);
  await waitForRPCs();
  return { resources: resources.sort((a, b) => (a.type + a.name < b.type + b.name ? -1 : 1)), reads, exports: settled };
}

function settle(exports: Record<string, unknown>): Promise<Record<string, unknown>> {
  return new Promise((resolve) => pulumi.output(exports).apply(resolve as (value: unknown) => void));
}

/** Secrets are wrapped on their way to the engine. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if (SECRET in value) return "[secret]";
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** Programs in ConfigMaps are tested elsewhere, and change with every edit. */
export const withoutPrograms = (resources: readonly Registered[]): Registered[] =>
  resources.map((resource) => {
    const { data } = resource.inputs;
    if (!data) return resource;
    const isProgram = (file: string) => /\.(cjs|mjs|py|proto)$/.test(file);
    const files = Object.entries(data).map(([file, text]) => [file, isProgram(file) ? "PROGRAM" : text]);
    return { ...resource, inputs: { ...resource.inputs, data: Object.fromEntries(files) } };
  });

/** What is in a Secret that the program reads. */
const given = { AWS_ACCESS_KEY_ID: "a2V5", AWS_SECRET_ACCESS_KEY: "c2VjcmV0" };

/** The one resource of a type and, if given, of a name that begins like this. */
export function only(program: Program, type: string, name = ""): Registered {
  const found = program.resources.filter((r) => r.type === type && r.name.startsWith(name));
  if (found.length !== 1)
    throw new Error(`expected one ${type} ${name}, there are ${found.length}: ${found.map((r) => r.name).join(", ")}`);
  return found[0];
}

export const STATEFUL_SET = "kubernetes:apps/v1:StatefulSet";
const SECRET_TYPE = "kubernetes:core/v1:Secret";
export const JOB = "kubernetes:batch/v1:Job";
export const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
export const SERVICE = "kubernetes:core/v1:Service";
