import type { KubeObject } from "./object.ts";

/** Which data of ConfigMaps and Secrets may change in place; by default a change makes a new object. */
export interface Mutability {
  readonly configMaps: boolean;
  readonly secrets: boolean;
}

const selector = "spec.selector";

const pod = [
  ...[
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostIPC",
  ],
  ...[
    "hostNetwork",
    "hostPID",
    "hostname",
    "imagePullSecrets",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
  ],
  ...["priority", "priorityClassName", "readinessGates", "restartPolicy", "runtimeClassName", "schedulerName"],
  ...["securityContext", "serviceAccount", "serviceAccountName", "shareProcessNamespace", "subdomain"],
  ...["terminationGracePeriodSeconds", "volumes"],
].map((field) => `spec.${field}`);

const container = ["containers", "initContainers"].flatMap((list) =>
  [
    ...["args", "command", "env", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe"],
    ...[
      "resources",
      "securityContext",
      "stdin",
      "stdinOnce",
      "terminationMessagePath",
      "terminationMessagePolicy",
      "tty",
    ],
    ...["volumeDevices", "volumeMounts", "workingDir"],
  ].map((field) => `spec.${list}.*.${field}`),
);

const volumeSources = [
  ...["awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker"],
  ...["gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume"],
  ...["quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume"],
].map((field) => `spec.${field}`);

/** Fields that the API server does not let anybody change, by API group and kind; `*` stands for any index. */
const fields: Readonly<Record<string, readonly string[]>> = {
  "apps/DaemonSet": [selector],
  "apps/Deployment": [selector],
  "apps/StatefulSet": [
    ...["podManagementPolicy", "revisionHistoryLimit", "selector", "serviceName", "volumeClaimTemplates"].map(
      (f) => `spec.${f}`,
    ),
  ],
  "batch/Job": ["spec.completions", "spec.parallelism", selector, "spec.template"],
  "rbac.authorization.k8s.io/ClusterRoleBinding": ["roleRef"],
  "rbac.authorization.k8s.io/RoleBinding": ["roleRef"],
  "storage.k8s.io/StorageClass": ["parameters", "provisioner"],
  "/PersistentVolume": volumeSources,
  "/PersistentVolumeClaim": ["spec.accessModes", selector, "spec.storageClassName", "spec.volumeName"],
  "/Pod": [...pod, ...container],
  "/ResourceQuota": ["spec.scopes"],
  "/Secret": ["type"],
  "/Service": ["spec.clusterIP"],
};

/** Field paths whose change makes another object of this one. */
export function forceNewFields(object: KubeObject, mutability: Mutability): string[] {
  const { apiVersion = "", kind = "" } = object;
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  const key = `${group}/${kind}`;
  const data =
    key === "/ConfigMap" && (!mutability.configMaps || object.immutable === true)
      ? ["data", "binaryData"]
      : key === "/Secret" && (!mutability.secrets || object.immutable === true)
        ? ["data", "stringData"]
        : [];
  return ["metadata.name", "metadata.namespace", ...(fields[key] ?? []), ...data];
}
