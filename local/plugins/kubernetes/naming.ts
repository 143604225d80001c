import { isObject, type Properties, plain, Secret, Unknown, type Value } from "../properties.ts";
import { uniqueName } from "../provider.ts";
import { annotations } from "./object.ts";

/**
 * Metadata with a name in it. An object whose name the user leaves out gets `<logical name>-<8 hex>` and an annotation that
 * says so; it keeps that name for as long as it is not replaced.
 */
export function named(
  metadata: Value | undefined,
  olds: Properties | undefined,
  logicalName: string,
  seed: Uint8Array,
): Value {
  if (metadata instanceof Unknown) return metadata;
  if (metadata instanceof Secret) return new Secret(named(metadata.value, olds, logicalName, seed));
  const given = isObject(metadata) ? metadata : {};
  if (given.name !== undefined || given.generateName !== undefined) return given;
  const marks = given.annotations;
  if (marks instanceof Unknown || marks instanceof Secret)
    return { ...given, name: oldName(olds) ?? uniqueName(`${logicalName}-`, seed) };
  return {
    ...given,
    name: oldName(olds) ?? uniqueName(`${logicalName}-`, seed),
    annotations: { ...(isObject(marks) ? marks : {}), [annotations.autonamed]: "true" },
  };
}

/** The name that was made up for the object at its creation, if it was. */
function oldName(olds: Properties | undefined): string | undefined {
  const metadata = olds && plain(olds).metadata;
  if (!isObject(metadata) || !isObject(metadata.annotations)) return undefined;
  const isOurs = metadata.annotations[annotations.autonamed] === "true";
  return isOurs && typeof metadata.name === "string" ? metadata.name : undefined;
}
