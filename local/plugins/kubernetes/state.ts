import {
  hasSecret,
  isObject,
  type Plain,
  type PlainObject,
  type Properties,
  plain,
  Secret,
  type Value,
} from "../properties.ts";
import { sameQuantity } from "./quantity.ts";

const readOnlyMetadata = [
  ...["creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields"],
  ...["resourceVersion", "uid"],
];

/** Keys that no programming language could spell as the API does. */
const renamed: Record<string, string> = Object.fromEntries(
  [
    ...["embedded_resource", "int_or_string", "list_map_keys", "list_type", "map_type", "preserve_unknown_fields"],
    "validations",
  ].map((key) => [`x_kubernetes_${key}`, `x-kubernetes-${key.replaceAll("_", "-")}`]),
);

/** Inputs as the API server wants them: without secrecy, with the API's own key names. */
export function toApi(inputs: Properties): PlainObject {
  return rename(plain(inputs)) as PlainObject;
}

function rename(value: Plain): Plain {
  if (Array.isArray(value)) return value.map(rename);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [renamed[k] ?? k, rename(v as Plain)]));
}

/** One spelling for what means the same: `stringData` becomes `data`, and fields that the server owns go. */
export function normalize(inputs: PlainObject): PlainObject {
  const { stringData, ...rest } = inputs;
  const object: PlainObject =
    inputs.kind === "Secret" && isObject(stringData) ? { ...rest, data: merged(rest.data, stringData) } : { ...inputs };
  if (isObject(object.metadata))
    object.metadata = Object.fromEntries(
      Object.entries(object.metadata).filter(([key]) => !readOnlyMetadata.includes(key)),
    ) as PlainObject;
  return object;
}

function merged(data: Plain | undefined, stringData: { [key: string]: Value }): PlainObject {
  const encoded = Object.entries(stringData).map(([k, v]) => [
    k,
    typeof v === "string" ? Buffer.from(v).toString("base64") : v,
  ]);
  return { ...(isObject(data) ? data : {}), ...Object.fromEntries(encoded) } as PlainObject;
}

/**
 * The part of the live object that the inputs speak of: how things are where the user said how they should be.
 * Quantities keep the user's spelling while they mean the same, and so do empty lists and objects, which the server leaves
 * out.
 */
export function prune(live: PlainObject, inputs: PlainObject): PlainObject {
  const pruned: PlainObject = {};
  for (const [key, wanted] of Object.entries(inputs)) {
    if (key in live) pruned[key] = pruneValue(live[key]!, wanted);
    else if (isEmpty(wanted)) pruned[key] = wanted;
  }
  return pruned;
}

const isEmpty = (value: Plain): boolean =>
  Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;

function pruneValue(live: Plain, wanted: Plain): Plain {
  if (isObject(live) && isObject(wanted)) return prune(live as PlainObject, wanted as PlainObject);
  if (Array.isArray(live) && Array.isArray(wanted))
    return live.map((item, i) => (i < wanted.length ? pruneValue(item, wanted[i]!) : item));
  return sameQuantity(live, wanted) ? wanted : live;
}

/** What the inputs of an object would be that nobody has written inputs for: for imports and `.get`. */
export function inputsFromLive(live: PlainObject): PlainObject {
  const { status: _, ...inputs } = normalize(live);
  const metadata = { ...(inputs.metadata as PlainObject) };
  if (isObject(metadata.annotations)) {
    const {
      "deployment.kubernetes.io/revision": _r,
      "kubectl.kubernetes.io/last-applied-configuration": _l,
      ...kept
    } = metadata.annotations;
    if (Object.keys(kept).length > 0) metadata.annotations = kept as PlainObject;
    else delete metadata.annotations;
  }
  return { ...inputs, metadata };
}

/**
 * Gives `outs` the secrecy of `ins`, key by key; a list that holds a secret is secret as a whole, because its order may
 * change. The data of a Secret is always secret.
 */
export function withSecrets(outs: Properties, ins: Properties): Properties {
  if (outs.kind === "Secret") {
    const secret = { ...outs };
    for (const key of ["data", "stringData"]) if (key in secret) secret[key] = asSecret(secret[key]!);
    return secret;
  }
  return Object.fromEntries(
    Object.entries(outs).map(([key, out]) => {
      const from = ins[key];
      if (from === undefined) return [key, out];
      if (isObject(out) && isObject(from)) return [key, withSecrets(out, from)];
      return [key, hasSecret(from) ? asSecret(out) : out];
    }),
  );
}

const asSecret = (value: Value): Secret => (value instanceof Secret ? value : new Secret(value));

const ownKeys = { inputs: "__inputs", apiVersion: "__initialApiVersion", manager: "__fieldManager" } as const;

/** The outputs kept in the state: the live object, and beside it what we must know to manage it. */
export function checkpoint(
  live: PlainObject,
  inputs: PlainObject,
  secretsOf: Properties,
  apiVersion: string,
  manager: string,
): Properties {
  return {
    ...withSecrets(live as Properties, secretsOf),
    [ownKeys.inputs]: withSecrets(inputs as Properties, secretsOf),
    [ownKeys.apiVersion]: apiVersion,
    [ownKeys.manager]: manager,
  };
}

/** Takes a checkpoint apart again. All parts may be missing: the state may be that of a `.get` or of an import. */
export function fromCheckpoint(state: Properties): {
  live: PlainObject;
  inputs: PlainObject;
  apiVersion?: string;
  manager?: string;
} {
  const {
    [ownKeys.inputs]: inputs,
    [ownKeys.apiVersion]: apiVersion,
    [ownKeys.manager]: manager,
    ...live
  } = plain(state);
  return {
    live,
    inputs: (isObject(inputs) ? inputs : {}) as PlainObject,
    apiVersion: typeof apiVersion === "string" ? apiVersion : undefined,
    manager: typeof manager === "string" ? manager : undefined,
  };
}
