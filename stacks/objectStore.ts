import { existsSync, readFileSync } from "node:fs";
import type * as pulumi from "@pulumi/pulumi";
import type { Images } from "../components/images.ts";
import { ExternalStore } from "../components/storage/externalStore.ts";
import { Minio } from "../components/storage/minio/minio.ts";
import type { ObjectStore } from "../components/storage/objectStore.ts";
import type { Config } from "./schema.ts";

/** The store that the config asks for. */
export function objectStoreOf(
  name: string,
  { objectStore, cluster }: Pick<Config, "objectStore" | "cluster">,
  place: { readonly namespace: string; readonly domain: string },
  images: Images,
  opts: pulumi.ComponentResourceOptions,
): ObjectStore {
  const { backend, external } = objectStore;
  if (backend === "external" && external) {
    const ca = external.ca === undefined ? undefined : readFileSync(external.ca, "utf8");
    return new ExternalStore(name, { ...external, ca, namespace: place.namespace }, opts);
  }
  return new Minio(name, { ...place, ...objectStore, image: images.minio, cluster }, opts);
}

/** What is wrong with it, one line for each mistake. */
export function objectStoreProblems({ backend, external }: Config["objectStore"]): string[] {
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
