import { existsSync, readFileSync } from "node:fs";
import type * as pulumi from "@pulumi/pulumi";
import type { Images } from "../components/images.ts";
import { Ceph, objectStoreHost } from "../components/storage/ceph/ceph.ts";
import { CephStore, cephBucket } from "../components/storage/ceph/cephStore.ts";
import { layoutProblems } from "../components/storage/ceph/layout.ts";
import { ExternalStore, externalBucket } from "../components/storage/externalStore.ts";
import { Minio, minioBucket } from "../components/storage/minio/minio.ts";
import type { Bucket, ObjectStore } from "../components/storage/objectStore.ts";
import { REGISTRY_GRANT } from "./registry.ts";
import type { Config } from "./schema.ts";

type Parts = Pick<Config, "objectStore" | "cluster" | "ceph" | "registry">;

/** Ceph, if the config asks for it. */
export function cephOf(
  { ceph, objectStore, cluster }: Parts,
  images: Images,
  opts: pulumi.ComponentResourceOptions,
): Ceph | undefined {
  const hasObjectStore = objectStore.backend === "ceph";
  return ceph.enabled
    ? new Ceph("ceph", { ...ceph, domain: cluster.domain, image: images.ceph, hasObjectStore }, opts)
    : undefined;
}

/** Where servers of a stack of this config read models. Deploys nothing. */
export function bucketOf(
  name: string,
  { objectStore, ceph }: Pick<Parts, "objectStore" | "ceph">,
  place: { readonly namespace: string; readonly domain: string },
): Bucket {
  const { backend, external } = objectStore;
  if (backend === "ceph") return cephBucket(name, place.namespace, objectStoreHost(ceph.namespace, place.domain));
  if (backend === "external" && external)
    return externalBucket(name, { ...external, namespace: place.namespace, hasCa: external.ca !== undefined });
  return minioBucket(name, place);
}

/** The store that the config asks for. */
export function objectStoreOf(
  name: string,
  { objectStore, cluster, registry }: Parts,
  place: { readonly namespace: string; readonly domain: string; readonly ceph: Ceph | undefined },
  images: Images,
  opts: pulumi.ComponentResourceOptions,
): ObjectStore {
  const { backend, external, protect } = objectStore;
  if (backend === "ceph" && place.ceph)
    return new CephStore(name, { namespace: place.namespace, ceph: place.ceph, protect }, opts);
  if (backend === "external" && external) {
    const ca = external.ca === undefined ? undefined : readFileSync(external.ca, "utf8");
    return new ExternalStore(name, { ...external, ca, namespace: place.namespace }, opts);
  }
  const grants = registry.enabled && registry.backend === "objectStore" ? [REGISTRY_GRANT] : [];
  return new Minio(name, { ...place, ...objectStore, image: images.minio, cluster, grants }, opts);
}

/** What is wrong with it, one line for each mistake. */
export function objectStoreProblems({ objectStore, ceph, cluster }: Parts): string[] {
  return [...externalProblems(objectStore), ...cephProblems({ objectStore, ceph, cluster })];
}

function cephProblems({ objectStore, ceph, cluster }: Omit<Parts, "registry">): string[] {
  if (!ceph.enabled)
    return objectStore.backend === "ceph"
      ? ["objectStore.backend: ceph is the object store of ceph, which is not there; set ceph.enabled and ceph.nodes"]
      : [];
  if (cluster.kind === "embedded")
    return [
      "ceph: is not possible on the embedded cluster, whose nodes have no disks of their own and whose kernel may lack rbd; use it with cluster.kind kubeconfig, or leave it out",
    ];
  return layoutProblems(ceph.nodes, "ceph.nodes");
}

function externalProblems({ backend, external }: Config["objectStore"]): string[] {
  if (backend !== "external")
    return external === undefined
      ? []
      : [`objectStore.external: is for objectStore.backend external, not ${backend}; leave it out, or set backend`];
  if (external === undefined)
    return [
      "objectStore.external: is missing; with backend external it says where the bucket is: endpoint, bucket and secret",
    ];
  const { ca } = external;
  if (ca === undefined) return [];
  if (!existsSync(ca)) return [`objectStore.external.ca: there is no file ${ca}`];
  return /-----BEGIN CERTIFICATE-----/.test(readFileSync(ca, "utf8"))
    ? []
    : [`objectStore.external.ca: ${ca} holds no PEM certificate (-----BEGIN CERTIFICATE-----)`];
}
