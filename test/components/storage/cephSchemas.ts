/** The fields of Rook's resources (1.20) that this project sets, with what may be in them: no more than that. */
const object = (properties: object, required: string[] = []) => ({
  type: "object",
  additionalProperties: false,
  properties,
  required,
});
const text = { type: "string", minLength: 1 };
const flag = { type: "boolean" };
const array = (items: object) => ({ type: "array", items });
const count = (minimum: number, maximum: number) => ({ type: "integer", minimum, maximum });
const keyRef = object({ name: text, key: text }, ["key"]);
const pool = object({ failureDomain: { enum: ["host", "osd"] }, replicated: object({ size: count(1, 3) }, ["size"]) });
const resources = object({
  requests: { type: "object", additionalProperties: text },
  limits: { type: "object", additionalProperties: text },
});

export const schemas = {
  CephCluster: object({
    cephVersion: object({ image: text, allowUnsupported: flag }),
    dataDirHostPath: { type: "string", pattern: "^/(\\S+)" },
    mon: object({ count: count(0, 9), allowMultiplePerNode: flag }),
    mgr: object({ count: count(0, 5), allowMultiplePerNode: flag }),
    dashboard: object({ enabled: flag }),
    crashCollector: object({ disable: flag }),
    storage: object({
      useAllNodes: flag,
      useAllDevices: flag,
      nodes: array(object({ name: text, devices: array(object({ name: text })) })),
    }),
    cleanupPolicy: object({
      confirmation: { type: "string", pattern: "^$|^yes-really-destroy-data$" },
      allowUninstallWithVolumes: flag,
    }),
    disruptionManagement: object({ managePodBudgets: flag }),
  }),
  CephBlockPool: pool,
  CephObjectStore: object({
    metadataPool: pool,
    dataPool: pool,
    preservePoolsOnDelete: flag,
    gateway: object({
      instances: count(1, 100),
      securePort: count(1, 65535),
      sslCertificateRef: text,
      resources,
    }),
  }),
  CephObjectStoreUser: object({
    store: text,
    displayName: text,
    keys: array(object({ accessKeyRef: keyRef, secretKeyRef: keyRef })),
    quotas: object({ maxBuckets: { type: "integer" } }),
  }),
  ObjectBucketClaim: object({
    bucketName: text,
    storageClassName: text,
    additionalConfig: { type: "object", additionalProperties: text },
  }),
};
