import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../../labels.ts";
import { ServingCertificate } from "../../tls/servingCertificate.ts";
import type { CephNode } from "./layout.ts";
import { type CephRetention, clusterValues, driverValues, OBJECT_STORE, operatorValues } from "./values.ts";

export interface CephArgs {
  /** Of Rook's operator and of the cluster; its own. */
  readonly namespace: string;
  /** DNS domain of the Kubernetes cluster, such as `cluster.local`. */
  readonly domain: string;
  /** Image of Ceph itself. */
  readonly image: string;
  readonly nodes: readonly CephNode[];
  /** Monitors, each on a node of its own: an odd number. */
  readonly mons: number;
  readonly retention: CephRetention;
  /** Make its volumes those of claims that name no storage class. */
  readonly isDefaultClass: boolean;
  /** Have an object store. */
  readonly hasObjectStore: boolean;
}

const ROOK = { version: "v1.20.6", repositoryOpts: { repo: "https://charts.rook.io/release" } };
const CSI = { version: "1.0.4", repositoryOpts: { repo: "https://ceph.github.io/ceph-csi-operator" } };
/** Until the disks are prepared and every daemon runs; and until the last of them is gone. */
const CLUSTER_SECONDS = 1800;

const OBJECT_STORE_SERVICE = `rook-ceph-rgw-${OBJECT_STORE}`;

/** DNS name of the object store. */
export const objectStoreHost = (namespace: string, domain: string) =>
  `${OBJECT_STORE_SERVICE}.${namespace}.svc.${domain}`;

/**
 * Ceph by Rook's three charts, each after the one before: the operator, the CSI drivers, the cluster. Deleted in the other order, and
 * each deletion is waited for, because only the operator can take the cluster down and only the drivers can let go of volumes.
 * Needs the official provider.
 */
export class Ceph extends pulumi.ComponentResource {
  /** PEM of the authority that vouches for the object store. */
  readonly ca?: pulumi.Output<string>;
  /** DNS name of the object store. */
  readonly objectStoreHost: string;
  readonly namespace: string;

  constructor(name: string, args: CephArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:Ceph", name, {}, opts);
    const { namespace, domain, hasObjectStore } = args;
    const labels = labelsOf("ceph", name);
    const service = OBJECT_STORE_SERVICE;
    const tlsSecret = `${service}-tls`;
    this.namespace = namespace;
    this.objectStoreHost = objectStoreHost(namespace, domain);

    const place = new k8s.core.v1.Namespace(
      namespace,
      // Its daemons reach for the nodes' disks.
      { metadata: { name: namespace, labels: { ...labels, "pod-security.kubernetes.io/enforce": "privileged" } } },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    const certificate = hasObjectStore
      ? new ServingCertificate(
          tlsSecret,
          { namespace, service, labels, names: [this.objectStoreHost], keyType: "P-256" },
          { parent: this, dependsOn: [place] },
        )
      : undefined;
    this.ca = certificate?.ca;

    const release = (
      chart: string,
      from: typeof ROOK,
      values: Record<string, unknown>,
      after: pulumi.Resource[],
      timeout = 600,
    ) =>
      new k8s.helm.v3.Release(
        chart,
        { ...from, chart, name: chart, namespace, values, timeout, skipAwait: false },
        { parent: this, dependsOn: after },
      );
    const operator = release("rook-ceph", ROOK, operatorValues(), [place]);
    const drivers = release("ceph-csi-drivers", CSI, driverValues(namespace), [operator]);
    release(
      "rook-ceph-cluster",
      ROOK,
      clusterValues({ ...args, ...(hasObjectStore ? { objectStore: { tlsSecret } } : {}) }),
      [operator, drivers, ...(certificate ? [certificate] : [])],
      CLUSTER_SECONDS,
    );
    this.registerOutputs({});
  }
}
