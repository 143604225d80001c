import type { types } from "@pulumi/kubernetes";

/** The volume `data` of a StatefulSet whose pod keeps something there. */
export function volumeClaim(
  { size, storageClass }: { readonly size: string; readonly storageClass?: string },
  labels: Record<string, string>,
): types.input.core.v1.PersistentVolumeClaim {
  return {
    metadata: { name: "data", labels },
    spec: {
      accessModes: ["ReadWriteOnce"],
      ...(storageClass ? { storageClassName: storageClass } : {}),
      resources: { requests: { storage: size } },
    },
  };
}
