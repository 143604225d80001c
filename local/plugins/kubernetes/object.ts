import type { Plain, PlainObject } from "../properties.ts";

/** A Kubernetes object as JSON; every field may be missing in what a user writes. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: Metadata;
  // biome-ignore lint/suspicious/noExplicitAny: objects of every kind go through here; their readers know their shape
  spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  status?: any;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  [field: string]: any;
}

export interface Metadata {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { uid: string }[];
  managedFields?: {
    manager?: string;
    operation?: string;
    subresource?: string;
    apiVersion?: string;
    fieldsV1?: object;
    fieldsType?: string;
  }[];
}

export const asObject = (plain: PlainObject): KubeObject => plain as KubeObject;
export const asPlain = (object: KubeObject): PlainObject => object as unknown as PlainObject;

/** `namespace/name`, or the name alone: the id in the state. */
export const idOf = ({ metadata }: KubeObject): string =>
  metadata?.namespace ? `${metadata.namespace}/${metadata.name}` : `${metadata?.name}`;

export function parseId(id: string): { namespace?: string; name: string } {
  const [name, namespace] = id.split("/").reverse();
  return { name: name!, namespace };
}

/** How messages name an object: without the namespace when that is the default one. */
export function displayName({ metadata }: KubeObject): string {
  const { namespace, name } = metadata ?? {};
  return namespace && namespace !== "default" ? `${namespace}/${name}` : `${name}`;
}

export const annotations = {
  autonamed: "pulumi.com/autonamed",
  skipAwait: "pulumi.com/skipAwait",
  waitFor: "pulumi.com/waitFor",
  timeoutSeconds: "pulumi.com/timeoutSeconds",
  replaceUnready: "pulumi.com/replaceUnready",
  patchForce: "pulumi.com/patchForce",
  patchFieldManager: "pulumi.com/patchFieldManager",
  deletionPropagationPolicy: "pulumi.com/deletionPropagationPolicy",
} as const;

export const annotation = (object: KubeObject, name: string): string | undefined =>
  object.metadata?.annotations?.[name];
export const isAnnotated = (object: KubeObject, name: string): boolean => annotation(object, name) === "true";

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export const condition = (object: KubeObject, type: string): Condition | undefined =>
  object.status?.conditions?.find((c: Condition) => c.type === type);
export const isTrue = (object: KubeObject, type: string): boolean => condition(object, type)?.status === "True";

export const isOwnedBy = (object: KubeObject, owner: KubeObject | undefined): boolean =>
  owner?.metadata?.uid !== undefined &&
  object.metadata?.ownerReferences?.some(({ uid }) => uid === owner.metadata!.uid) === true;

/**
 * Group, version and kind from a type token: `kubernetes:core/v1:ConfigMap` is `v1`, `ConfigMap`.
 * The properties win where they say it themselves, as custom resources do.
 */
export function kindOf(type: string, properties: PlainObject): { apiVersion: string; kind: string } {
  const [, groupVersion = "", kind = ""] = type.split(":");
  return {
    apiVersion: text(properties.apiVersion) ?? groupVersion.replace(/^core\//, ""),
    kind: text(properties.kind) ?? kind,
  };
}

const text = (value: Plain | undefined): string | undefined => (typeof value === "string" && value ? value : undefined);

/** Built-in kinds that live outside namespaces: known without asking, so that previews work without a cluster. */
const clusterScoped = new Set([
  "v1/ComponentStatus",
  "v1/Namespace",
  "v1/Node",
  "v1/PersistentVolume",
  "admissionregistration.k8s.io/MutatingWebhookConfiguration",
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy",
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
  "apiextensions.k8s.io/CustomResourceDefinition",
  "apiregistration.k8s.io/APIService",
  "certificates.k8s.io/CertificateSigningRequest",
  "flowcontrol.apiserver.k8s.io/FlowSchema",
  "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
  "networking.k8s.io/IngressClass",
  "networking.k8s.io/IPAddress",
  "networking.k8s.io/ServiceCIDR",
  "node.k8s.io/RuntimeClass",
  "rbac.authorization.k8s.io/ClusterRole",
  "rbac.authorization.k8s.io/ClusterRoleBinding",
  "resource.k8s.io/DeviceClass",
  "resource.k8s.io/ResourceSlice",
  "scheduling.k8s.io/PriorityClass",
  "storage.k8s.io/CSIDriver",
  "storage.k8s.io/CSINode",
  "storage.k8s.io/StorageClass",
  "storage.k8s.io/VolumeAttachment",
  "storage.k8s.io/VolumeAttributesClass",
]);

/** Whether the API group comes with Kubernetes itself: no dot in it, or under k8s.io. */
const isBuiltIn = (group: string): boolean => !group.includes(".") || group.endsWith(".k8s.io");

/** True or false for built-in kinds; undefined for custom resources, which only the cluster knows. */
export function isNamespacedBuiltIn(apiVersion: string, kind: string): boolean | undefined {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0]! : "";
  if (!isBuiltIn(group)) return undefined;
  return !clusterScoped.has(`${group || "v1"}/${kind}`);
}
