import { type CephNode, cephLayout } from "./layout.ts";

/** What stays when things are deleted. */
export interface CephRetention {
  /** Volumes, when their claim is deleted. */
  readonly volumes: "Delete" | "Retain";
  /** Buckets and what is in them, when their claim or the object store is deleted. */
  readonly buckets: "Delete" | "Retain";
  /** What is on the disks, when the cluster is deleted. `Delete` stops Rook from looking after the cluster at once. */
  readonly disks: "Delete" | "Retain";
}

export interface CephValuesArgs {
  /** Of Rook's operator, of the cluster, and of all that belongs to it. */
  readonly namespace: string;
  /** Image of Ceph itself. */
  readonly image: string;
  readonly nodes: readonly CephNode[];
  /** Monitors, each on a node of its own: an odd number. */
  readonly mons: number;
  readonly retention: CephRetention;
  /** Make its volumes those of claims that name no storage class. */
  readonly isDefaultClass: boolean;
  /** Namespaces whose users the object store has; absent: no object store. */
  readonly objectStore?: { readonly tlsSecret: string };
}

export const BLOCK_CLASS = "ceph-block";
export const BUCKET_CLASS = "ceph-bucket";
export const BLOCK_POOL = "ceph-blockpool";
export const OBJECT_STORE = "ceph-objectstore";
/** Where the object store answers over TLS; one that needs no privilege. */
export const OBJECT_STORE_PORT = 8443;

/** Values of the chart `rook-ceph`: the operator, the definitions of its resources, and the operator of the CSI drivers. */
export const operatorValues = () => ({ crds: { enabled: true }, enableDiscoveryDaemon: false });

/** Values of the chart `ceph-csi-drivers`. The drivers' names begin with the operator's namespace: that is how storage classes find them. */
export const driverValues = (namespace: string) => ({
  operatorConfig: {
    namespace,
    driverSpecDefaults: { imageSet: { name: "rook-csi-operator-image-set-configmap" } },
  },
  drivers: {
    rbd: { enabled: true, name: `${namespace}.rbd.csi.ceph.com` },
    cephfs: { enabled: false, name: `${namespace}.cephfs.csi.ceph.com` },
    nfs: { enabled: false, name: `${namespace}.nfs.csi.ceph.com` },
    nvmeof: { enabled: false, name: `${namespace}.nvmeof.csi.ceph.com` },
  },
});

/** Values of the chart `rook-ceph-cluster`. */
export function clusterValues(args: CephValuesArgs) {
  const { namespace, retention, isDefaultClass, objectStore } = args;
  return {
    operatorNamespace: namespace,
    cephClusterSpec: clusterSpec(args),
    cephBlockPools: [
      {
        name: BLOCK_POOL,
        spec: poolSpec(args.nodes),
        storageClass: {
          enabled: true,
          name: BLOCK_CLASS,
          isDefault: isDefaultClass,
          reclaimPolicy: retention.volumes,
          allowVolumeExpansion: true,
          volumeBindingMode: "Immediate",
          parameters: blockParameters(namespace),
        },
      },
    ],
    cephFileSystems: [],
    cephObjectStores: objectStore
      ? [
          {
            name: OBJECT_STORE,
            spec: objectStoreSpec(args.nodes, retention, objectStore),
            storageClass: {
              enabled: true,
              name: BUCKET_CLASS,
              reclaimPolicy: retention.buckets,
              volumeBindingMode: "Immediate",
              parameters: { region: "us-east-1" },
            },
          },
        ]
      : [],
    toolbox: { enabled: false },
  };
}

/** Spec of the CephCluster. */
export function clusterSpec({ image, nodes, mons, retention }: CephValuesArgs) {
  return {
    cephVersion: { image, allowUnsupported: false },
    dataDirHostPath: "/var/lib/rook",
    mon: { count: mons, allowMultiplePerNode: false },
    mgr: { count: mons > 1 ? 2 : 1, allowMultiplePerNode: false },
    dashboard: { enabled: false },
    crashCollector: { disable: true },
    storage: {
      useAllNodes: false,
      useAllDevices: false,
      nodes: nodes.map(({ name, devices }) => ({ name, devices: devices.map((device) => ({ name: device })) })),
    },
    cleanupPolicy: {
      confirmation: retention.disks === "Delete" ? "yes-really-destroy-data" : "",
      allowUninstallWithVolumes: false,
    },
    disruptionManagement: { managePodBudgets: true },
  };
}

/** Spec of a CephBlockPool, and of each pool of the object store. */
export function poolSpec(nodes: readonly CephNode[]) {
  const { copies, failureDomain } = cephLayout(nodes);
  return { failureDomain, replicated: { size: copies } };
}

/** Spec of the CephObjectStore: over TLS alone. */
export function objectStoreSpec(
  nodes: readonly CephNode[],
  { buckets }: CephRetention,
  { tlsSecret }: { readonly tlsSecret: string },
) {
  return {
    metadataPool: poolSpec(nodes),
    dataPool: poolSpec(nodes),
    preservePoolsOnDelete: buckets === "Retain",
    gateway: {
      instances: Math.min(2, nodes.length),
      securePort: OBJECT_STORE_PORT,
      sslCertificateRef: tlsSecret,
      resources: { requests: { cpu: "500m", memory: "1Gi" }, limits: { memory: "2Gi" } },
    },
  };
}

/** Where the CSI driver finds its credentials. A chart's list of pools is replaced as a whole, so they have to be said here. */
function blockParameters(namespace: string): Record<string, string> {
  const secrets = {
    provisioner: "rook-csi-rbd-provisioner",
    "controller-expand": "rook-csi-rbd-provisioner",
    "controller-publish": "rook-csi-rbd-provisioner",
    "node-stage": "rook-csi-rbd-node",
  };
  return {
    imageFormat: "2",
    imageFeatures: "layering",
    "csi.storage.k8s.io/fstype": "ext4",
    ...Object.fromEntries(
      Object.entries(secrets).flatMap(([use, name]) => [
        [`csi.storage.k8s.io/${use}-secret-name`, name],
        [`csi.storage.k8s.io/${use}-secret-namespace`, namespace],
      ]),
    ),
  };
}
