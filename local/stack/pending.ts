import { readFileSync } from "node:fs";
import { kubectl } from "../cluster/cluster.ts";
import { checkpoint, type Engine } from "./engine.ts";

interface Pending {
  readonly type: string;
  readonly resource: {
    readonly urn: string;
    readonly type: string;
    readonly inputs?: { kind?: string; apiVersion?: string; metadata?: { name?: string; namespace?: string } };
  };
}

/**
 * After an engine was killed while it created things, it does not know whether they exist. Asks the cluster: what exists
 * becomes part of the stack, what does not is forgotten and created again.
 */
export async function adoptPending(engine: Engine, stack: string, file: string): Promise<void> {
  // Asking the engine takes half a second, which every command would pay; its file says whether there is anything to ask.
  if (!readFileSync(checkpoint(stack), "utf8").includes('"pending_operations"')) return;
  const exported = JSON.parse(await engine.read(["stack", "export", "--stack", stack])) as {
    deployment?: { pending_operations?: Pending[] };
  };
  const pending = (exported.deployment?.pending_operations ?? []).filter(({ type }) => type === "creating");
  if (pending.length === 0) return;
  const adopted: string[] = [];
  for (const { resource } of pending) {
    const id = await existing(resource.inputs);
    if (id) adopted.push("--import-pending-creates", resource.urn, "--import-pending-creates", id);
  }
  console.log(
    `  the last deployment was interrupted; of ${pending.length} objects it was creating, ${adopted.length / 4} exist`,
  );
  await engine.read([
    "refresh",
    "--yes",
    "--skip-preview",
    "--stack",
    stack,
    "--config-file",
    file,
    ...adopted,
    "--clear-pending-creates",
  ]);
}

async function existing(inputs: Pending["resource"]["inputs"]): Promise<string | undefined> {
  const { kind, apiVersion, metadata } = inputs ?? {};
  if (!kind || !apiVersion || !metadata?.name) return undefined;
  const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[1]}.${apiVersion.split("/")[0]}` : "";
  const where = metadata.namespace ? ["-n", metadata.namespace] : [];
  const id = metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
  return kubectl(["get", `${kind}${group}`, metadata.name, ...where]).then(
    () => id,
    () => undefined,
  );
}
