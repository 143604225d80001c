import { existsSync } from "node:fs";
import { basename } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import type { Images } from "../components/images.ts";
import { Minio } from "../components/storage/minio/minio.ts";
import type { Grant } from "../components/storage/minio/policies.ts";
import type { ObjectStore } from "../components/storage/objectStore.ts";
import { ImagePush, imageReference } from "../components/storage/registry/imagePush.ts";
import { Registry, registryHost } from "../components/storage/registry/registry.ts";
import type { Config } from "./schema.ts";

type Parts = Pick<Config, "registry" | "cluster" | "objectStore" | "images">;

/** Where the registry keeps its images if not on a volume. */
export const REGISTRY_GRANT: Grant = { bucket: "registry", right: "manage" };

/** A registry, if the config asks for one. */
export interface Registered {
  readonly registry?: Registry;
  /** After these the images are there. */
  readonly pushed: readonly pulumi.Resource[];
}

/** The stack's images, with those in their places that are pulled from the registry. */
export function pulledImages(
  name: string,
  { registry }: Pick<Parts, "registry">,
  { images, ...place }: { readonly namespace: string; readonly domain: string; readonly images: Images },
): Images {
  if (!registry.enabled) return images;
  const host = registryHost(name, place);
  const pulled = registry.images.map((image) => [image, imageReference(host, namesOf(image, images[image]))]);
  return { ...images, ...Object.fromEntries(pulled) };
}

export function registryOf(
  name: string,
  { registry: config, cluster }: Parts,
  args: { readonly namespace: string; readonly domain: string; readonly images: Images; readonly store: ObjectStore },
  opts: pulumi.ComponentResourceOptions,
): Registered {
  const { namespace, domain, images, store } = args;
  if (!config.enabled) return { pushed: [] };
  const isInStore = config.backend === "objectStore" && store instanceof Minio;
  const registry = new Registry(
    name,
    {
      ...config,
      namespace,
      domain,
      cluster,
      image: images.registry,
      nodeImage: images.node,
      contents: isInStore ? { bucket: store.access(REGISTRY_GRANT) } : config,
      collect: config.collect === "never" ? undefined : config.collect,
    },
    isInStore ? { ...opts, dependsOn: [store] } : opts,
  );
  const pushed = config.images.map((image) => {
    const archive = config.archives?.[image] ?? "";
    return new ImagePush(`push-${image}`, { ...namesOf(image, images[image]), registry, archive, cluster }, opts);
  });
  return { registry, pushed };
}

/** `localhost/inference-stack/node:0123` is `inference-stack/node` and `0123` there. */
function namesOf(image: string, reference: string): { repository: string; tag: string } {
  const [name, tag = "latest"] = basename(reference.split("@")[0]).split(":");
  return { repository: `inference-stack/${name || image}`, tag };
}

/** What is wrong with it, one line for each mistake. */
export function registryProblems({ registry, objectStore, images }: Parts): string[] {
  const { enabled, backend, archives = {} } = registry;
  if (!enabled) return [];
  const problems: string[] = [];
  if (backend === "objectStore" && objectStore.backend !== "minio")
    problems.push(
      `registry.backend: objectStore is a bucket of the stack's own MinIO, but objectStore.backend is ${objectStore.backend}; use volume`,
    );
  for (const image of registry.images) {
    const file = archives[image];
    if (file === undefined)
      problems.push(
        `registry.images: ${image} has no file in registry.archives; write one with \`docker save\` or \`skopeo copy ... docker-archive:FILE\``,
      );
    else if (!existsSync(file)) problems.push(`registry.archives.${image}: there is no file ${file}`);
    if (images[image] === undefined)
      problems.push(
        `images.${image}: is missing; its tag is what tells one content of registry.archives.${image} from another`,
      );
  }
  return problems;
}
