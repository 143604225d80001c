import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kubectl } from "../cluster/cluster.ts";
import { state } from "../paths.ts";
import { checkpoint, type Engine } from "./engine.ts";

interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Inputs;
  readonly outputs?: object;
}
interface Inputs {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}
interface Pending {
  readonly type: string;
  readonly resource: Resource;
}
interface Exported {
  deployment: { resources: Resource[]; pending_operations?: readonly Pending[] };
}

/**
 * After an engine was killed while it created things, it does not know whether they exist. Asks the cluster: what exists
 * becomes part of the stack, what does not is forgotten and created again.
 *
 * The engine's own `refresh --import-pending-creates` forgets all of them (v3.259), and creating again what exists fails.
 */
export async function adoptPending(engine: Engine, stack: string, file: string): Promise<void> {
  // Asking the engine takes half a second, which every command would pay; its file says whether there is anything to ask.
  if (!readFileSync(checkpoint(stack), "utf8").includes('"pending_operations"')) return;
  const exported = JSON.parse(await engine.read(["stack", "export", "--stack", stack])) as Exported;
  const { resources, pending_operations = [] } = exported.deployment;
  if (pending_operations.length === 0) return;
  const known = new Set(resources.map(({ urn }) => urn));
  const pending = pending_operations.filter(({ type, resource }) => type === "creating" && !known.has(resource.urn));
  const adopted = (await Promise.all(pending.map(({ resource }) => existing(resource)))).filter((r) => r !== undefined);
  resources.push(...adopted);
  console.log(
    `  the last deployment was interrupted; of ${pending.length} objects it was creating, ${adopted.length} exist`,
  );
  // An import leaves pending operations out.
  const edited = join(state.stacks, `${stack}.adopted.json`);
  writeFileSync(edited, JSON.stringify(exported), { mode: 0o600 });
  await engine.read(["stack", "import", "--stack", stack, "--file", edited]);
  await engine.read(["refresh", "--yes", "--skip-preview", "--stack", stack, "--config-file", file]);
}

/** The resource as it would be in the stack, if its object exists. The rest of what is known of it comes from a refresh. */
async function existing(resource: Resource): Promise<Resource | undefined> {
  const { kind, apiVersion, metadata } = resource.inputs ?? {};
  if (!kind || !apiVersion || !metadata?.name) return undefined;
  const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[1]}.${apiVersion.split("/")[0]}` : "";
  const where = metadata.namespace ? ["-n", metadata.namespace] : [];
  const text = await kubectl(["get", `${kind}${group}`, metadata.name, ...where, "-o", "json", "--show-managed-fields"])
    // What cannot be asked is not there either.
    .catch(() => undefined);
  if (text === undefined) return undefined;
  const live = JSON.parse(text) as { metadata: { managedFields?: { manager: string }[] } };
  const manager = live.metadata.managedFields?.find(({ manager }) => manager.startsWith("pulumi-kubernetes"))?.manager;
  const outputs = {
    ...resource.inputs,
    __inputs: resource.inputs,
    __initialApiVersion: apiVersion,
    ...(manager ? { __fieldManager: manager } : {}),
  };
  return {
    ...resource,
    id: metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name,
    outputs,
  };
}
