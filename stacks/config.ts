import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { TSchema } from "typebox";
import { Settings } from "typebox/system";
import { Value } from "typebox/value";
import { sweepProblems } from "../benchmarks/sweep/points.ts";
import { PlanError, planCpus } from "../components/serving/cpuPlan.ts";
import { parseManifest } from "../components/storage/manifest.ts";
import { axisValues } from "./axisValues.ts";
import { COMBINED, combinationProblems } from "./combinations.ts";
import { describeFaults } from "./faults.ts";
import { GATEWAY_PARTS, gatewayProblems } from "./gateway.ts";
import { loadProblems } from "./load.ts";
import { LOCUST_PARTS, locustProblems } from "./locust.ts";
import { objectStoreProblems } from "./objectStore.ts";
import { registryProblems } from "./registry.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { SERVING, serverProblems } from "./server.ts";
import { TRAINING_PARTS, trainingProblems } from "./training.ts";
import { tuned } from "./tuning.ts";

/** A stack's config, complete and consistent. `model.version` is there whether it was given or read from `model.source`. */
export type StackConfig = Config & { readonly model: { readonly version: string } };

/**
 * Reads the stack's config.
 *
 * @throws pulumi.RunError with one line for every mistake in it
 */
export function readConfig(): StackConfig {
  const project = pulumi.getProject();
  const keys = Object.entries(pulumi.runtime.allConfig()).flatMap(([key, text]) => {
    const [namespace, name] = key.split(/:(.*)/s);
    return namespace === project ? [[name, parseValue(text, ConfigSchema.properties[name as keyof Config])]] : [];
  });
  const raw = Object.fromEntries(keys);
  const { config, problems } = checkConfig(raw);
  if (config && problems.length === 0) return config;
  const count = problems.length === 1 ? "is a mistake" : `are ${problems.length} mistakes`;
  const title = `There ${count} in the config of stack ${pulumi.getStack()} (docs/config.md lists all keys):`;
  throw new pulumi.RunError([title, ...problems.map((line) => `  ${line}`), ...hint(raw, problems)].join("\n"));
}

/** Fills in defaults and finds every mistake. `config` is only missing when its shape is wrong. */
export function checkConfig(raw: Record<string, unknown>): { config?: StackConfig; problems: string[] } {
  Settings.Set({ maxErrors: 1000 });
  const given = Value.Default(ConfigSchema, Value.Clone(raw)) as Config;
  const faults = describeFaults(ConfigSchema, given, Value.Errors(ConfigSchema, given));
  const isRight = (...keys: (keyof Config)[]) =>
    keys.every((key) => Value.Check(ConfigSchema.properties[key], given[key]));
  const isTunable = isRight("tuning", "instances", "cpus", "threadsPerCore", "autoscaling");
  const tuning = isTunable ? tuned(given) : { config: given, problems: [] };
  const value = tuning.config;
  const isPlannable = isRight(
    "topology",
    "cluster",
    "instances",
    "cpus",
    "sockets",
    "reserved",
    "pinning",
    "threadsPerCore",
  );
  const model = isRight("model") ? modelVersion(value.model) : { version: "", problems: [] };
  const isServable = isRight(...SERVING);
  const problems = [
    ...faults,
    ...(isPlannable ? planProblems(value) : []),
    ...tuning.problems,
    ...(isRight(...COMBINED) ? combinationProblems(value) : []),
    ...model.problems,
    ...(isServable ? serverProblems(value) : []),
    ...(isRight(...LOCUST_PARTS) ? locustProblems(value) : []),
    ...(isRight(...TRAINING_PARTS) ? trainingProblems(value) : []),
    ...(isRight("objectStore", "ceph", "cluster") ? objectStoreProblems(value) : []),
    ...(isRight(...GATEWAY_PARTS) ? gatewayProblems(value) : []),
    ...(isRight("registry", "objectStore", "images") ? registryProblems(value) : []),
    ...(isRight("benchmark") ? loadProblems(value.benchmark) : []),
    ...(isRight("sweep", "instances", "cpus", "sockets", "cluster", "server", "benchmark")
      ? sweepProblems(value.sweep, axisValues(value))
      : []),
  ];
  return faults.length > 0
    ? { problems }
    : { config: { ...value, model: { ...value.model, version: model.version } }, problems };
}

/** Pulumi hands every value over as text: a number and a flag as they look, an object as JSON. */
function parseValue(text: string, schema: TSchema | undefined): unknown {
  const isText = schema === undefined || "enum" in schema || ("type" in schema && schema.type === "string");
  if (isText) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function planProblems(config: Config): string[] {
  try {
    planCpus({ ...config, nodes: config.cluster.nodes });
    return [];
  } catch (error) {
    if (error instanceof PlanError) return [...error.problems];
    throw error;
  }
}

function modelVersion({ name, source, version }: Config["model"]): { version: string; problems: string[] } {
  const fail = (problem: string) => ({ version: "", problems: [problem] });
  if (source === undefined)
    return version === undefined
      ? fail(
          "model: neither source nor version is there; give the folder to upload, or the version that is in the bucket",
        )
      : { version, problems: [] };
  if (version !== undefined)
    return fail(
      `model: source and version are both there; leave out version ${JSON.stringify(version)} to upload ${source}`,
    );
  const file = join(source, "manifest.json");
  if (!existsSync(file))
    return fail(`model.source: ${source} has no manifest.json; \`npm run model\` builds such a folder`);
  try {
    const manifest = parseManifest(readFileSync(file, "utf8"));
    if (manifest.name !== name)
      return fail(
        `model.name: ${JSON.stringify(name)} is not the model in ${source}, which is ${JSON.stringify(manifest.name)}`,
      );
    return { version: manifest.version, problems: [] };
  } catch (error) {
    return fail(`model.source: ${source}: ${(error as Error).message}`);
  }
}

/** Of some keys only the machine knows; the file in the checkout leaves them out. */
function hint(raw: Record<string, unknown>, problems: readonly string[]): string[] {
  const isEmbedded = (raw.cluster as { kind?: unknown } | undefined)?.kind === "embedded";
  if (!isEmbedded || !problems.some((line) => /^(topology|cluster\.context|model): (is missing|neither)/.test(line)))
    return [];
  return [
    "This stack is for the embedded cluster: `npm start` and `npm run preview` fill in topology, cluster and model.source.",
  ];
}
