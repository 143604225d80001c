import type { Client } from "./client.ts";
import { annotation, annotations, isAnnotated, type KubeObject, type Metadata } from "./object.ts";

/** Who creates objects, in the API server's book of who owns which field. */
export const creator = "pulumi-kubernetes";

type Entry = NonNullable<Metadata["managedFields"]>[number];

/** The server-side-apply manager of one object: what the user says, what it was, or a new one. */
export const managerOf = (inputs: KubeObject, previous: string | undefined, fresh: () => string): string =>
  annotation(inputs, annotations.patchFieldManager) || previous || fresh();

/** Fields set by our own create, or by hand with kubectl, are ours to manage; a controller's are not. */
function isAdoptable({ manager = "", operation, subresource }: Entry): boolean {
  if (manager === creator) return operation === "Update" && !subresource;
  return (manager.startsWith("kubectl") || manager === "before-first-apply") && subresource !== "status";
}

/** Whether the apply takes fields over that somebody else owns. */
export function forces(inputs: KubeObject, live: KubeObject, preview: boolean, always: boolean): boolean {
  if (always || isAnnotated(inputs, annotations.patchForce)) return true;
  // A real update adopts these first; a preview must not, so it says what would come of it.
  return preview && (live.metadata?.managedFields ?? []).some(isAdoptable);
}

/**
 * Hands the fields that were set by the create to the manager of our updates: otherwise an update could never remove any,
 * because the creator would still hold them.
 */
export async function adoptCreation(client: Client, live: KubeObject, manager: string): Promise<void> {
  const managedFields = adopted(live.metadata?.managedFields ?? [], manager);
  if (!managedFields) return;
  await client.patchJson(live, [
    { op: "replace", path: "/metadata/managedFields", value: managedFields },
    { op: "replace", path: "/metadata/resourceVersion", value: live.metadata!.resourceVersion },
  ]);
}

/** The entries with all adoptable ones merged into that of `manager`; undefined if there is nothing to adopt. */
export function adopted(entries: readonly Entry[], manager: string): Entry[] | undefined {
  const taken = entries.filter(isAdoptable);
  if (taken.length === 0) return undefined;
  const isOurs = (entry: Entry) => entry.manager === manager && entry.operation === "Apply";
  const ours = entries.find(isOurs);
  const { subresource: _, ...model } = ours ?? taken[0]!;
  const fieldsV1 = [...(ours ? [ours] : []), ...taken].reduce<object>(
    (all, { fieldsV1 = {} }) => union(all, fieldsV1),
    {},
  );
  return [
    ...entries.filter((entry) => !isAdoptable(entry) && !isOurs(entry)),
    { ...model, manager, operation: "Apply", fieldsV1 },
  ];
}

/** Field sets are nested objects with empty leaves: their union is the deep merge. */
function union(a: object, b: object): object {
  const merged: Record<string, object> = { ...(a as Record<string, object>) };
  for (const [key, value] of Object.entries(b)) merged[key] = union(merged[key] ?? {}, value);
  return merged;
}

/** The inputs with every ignored path as it is in the cluster: what we ignore we must not set back. */
export function keepIgnored(inputs: KubeObject, live: KubeObject, ignoreChanges: readonly string[]): KubeObject {
  const object = structuredClone(inputs);
  for (const ignored of ignoreChanges) {
    const path = ignored.split(/[.[\]"]+/).filter(Boolean);
    const value = path.reduce<KubeObject | undefined>((at, key) => at?.[key], live);
    if (value === undefined) continue;
    const parent = path.slice(0, -1).reduce<KubeObject>((at, key) => {
      at[key] ??= {};
      return at[key];
    }, object);
    parent[path.at(-1)!] = value;
  }
  return object;
}
