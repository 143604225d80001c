import * as k8s from "@pulumi/kubernetes";

/**
 * One resource of every kind whose treatment differs. CHANGES names the variations to make, comma-separated; without any
 * it is always the same program.
 */
const changes = (process.env.CHANGES ?? "").split(",");
const vary = <T>(change: string, usual: T, changed: T): T => (changes.includes(change) ? changed : usual);

const image = process.env.CONFORMANCE_IMAGE!;
const shell = (script: string) => ({ image, command: ["/bin/sh", "-c", script] });
const fields = (more: object = {}) => ({ namespace: namespace.metadata.name, ...more });
const named = (name: string) => ({ metadata: fields({ name }) });
const labelled = (labels: Record<string, string>, containers: k8s.types.input.core.v1.Container[]) => ({
  metadata: { labels },
  spec: { terminationGracePeriodSeconds: 1, containers },
});

const namespace = new k8s.core.v1.Namespace("bench", {
  metadata: vary("namespace label", {}, { labels: { x: "1" } }),
});
const metadata = fields();

new k8s.apps.v1.Deployment("web", {
  metadata,
  spec: {
    replicas: vary("deployment replicas", 2, 1),
    selector: {
      matchLabels: vary<Record<string, string>>("deployment selector", { app: "web" }, { app: "web", y: "1" }),
    },
    template: labelled({ app: "web", y: "1" }, [
      { name: "web", ...shell("exec sleep 3600"), env: vary("deployment env", [], [{ name: "A", value: "1" }]) },
    ]),
  },
});
new k8s.apps.v1.Deployment("fixed", {
  ...named(vary("deployment name", "fixed", "fixed2")),
  spec: {
    replicas: 0,
    selector: {
      matchLabels: vary<Record<string, string>>("fixed deployment selector", { app: "f" }, { app: "f", y: "1" }),
    },
    template: labelled({ app: "f", y: "1" }, [{ name: "c", image }]),
  },
});
const service = new k8s.core.v1.Service("web", {
  metadata,
  spec: {
    type: vary("service type", "ClusterIP", "NodePort"),
    selector: { app: "web" },
    ports: [{ name: "http", port: vary("service port", 80, 81), targetPort: 8080 }],
  },
});
new k8s.core.v1.ConfigMap("auto", { metadata, data: { a: vary("configmap data", "1", "2") } });
new k8s.core.v1.ConfigMap("named", { ...named("named"), data: { a: vary("fixed configmap data", "1", "2") } });
new k8s.core.v1.Secret("secret", { metadata, stringData: { a: vary("secret data", "open-sesame", "changed") } });
// A claim can only grow while it is bound and its class allows it.
const storage = new k8s.storage.v1.StorageClass("storage", {
  provisioner: "kubernetes.io/no-provisioner",
  allowVolumeExpansion: true,
});
const volume = new k8s.core.v1.PersistentVolume("volume", {
  spec: {
    storageClassName: storage.metadata.name,
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    hostPath: { path: "/nowhere" },
  },
});
new k8s.core.v1.PersistentVolumeClaim(
  "claim",
  {
    metadata,
    spec: {
      storageClassName: storage.metadata.name,
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: vary("claim size", "1Gi", "2Gi") } },
    },
  },
  { dependsOn: volume },
);
new k8s.rbac.v1.Role("role", {
  metadata,
  rules: [{ apiGroups: [""], resources: ["pods"], verbs: vary("role rules", ["get"], ["get", "list"]) }],
});
new k8s.rbac.v1.RoleBinding("binding", {
  metadata,
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: vary("binding role", "a", "b") },
  subjects: [{ kind: "ServiceAccount", name: "default", namespace: namespace.metadata.name }],
});
const once = (text: string) => ({
  spec: { restartPolicy: "Never", containers: [{ name: "c", ...shell(`echo ${text}`) }] },
});
new k8s.batch.v1.Job("job", {
  metadata,
  spec: { backoffLimit: vary("job backoffLimit", 0, 1), template: once(vary("job template", "1", "2")) },
});
new k8s.batch.v1.Job("fixed", {
  ...named("fixed"),
  spec: { backoffLimit: 0, template: once(vary("fixed job template", "1", "2")) },
});
new k8s.apps.v1.StatefulSet("set", {
  ...named("set"),
  spec: {
    serviceName: "set",
    replicas: 0,
    selector: { matchLabels: { app: "set" } },
    template: labelled({ app: "set" }, [{ name: "c", image }]),
    volumeClaimTemplates: [
      {
        metadata: { name: "d" },
        spec: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: vary("claim template", "1Gi", "2Gi") } },
        },
      },
    ],
  },
});

export const namespaceName = namespace.metadata.name;
export const clusterIP = service.spec.clusterIP;
