import * as command from "@pulumi/command";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../labels.ts";
import type { FetchArgs } from "./fetch/container.ts";
import type { Bucket, ObjectStore } from "./objectStore.ts";
import { type ClusterAccess, checkout, storeEnvironment } from "./reach/environment.ts";
import { quoted } from "./reach/quoted.ts";

export interface ModelUploadArgs {
  /** Name of the model. */
  readonly model: string;
  /** Its version: the folder under the model's name in the bucket. A change uploads again. */
  readonly version: string;
  /** Folder to upload. @default - the version is in the bucket already */
  readonly source?: string;
  readonly store: ObjectStore;
  /** Where it is uploaded from this machine. */
  readonly cluster: ClusterAccess;
  /** Image with Node.js, for the pods that fetch the model. */
  readonly image: string;
  /** Secret with which that image is pulled. @default - anybody may */
  readonly pullSecret?: string;
  /** The bundled fetch program (fetch/bundle.ts). */
  readonly fetchProgram: { readonly code: string; readonly hash: string };
}

/** How pods get a version of a model out of the bucket. */
export function fetchArgs(
  args: Pick<ModelUploadArgs, "model" | "version" | "image" | "pullSecret"> & { bucket: Bucket; programHash: string },
): FetchArgs {
  const { image, bucket, model, version, programHash, pullSecret } = args;
  const program = `fetch-${programHash.slice(0, 10)}`;
  return { image, program, bucket, prefix: `${model}/${version}`, ...(pullSecret && { pullSecret }) };
}

/** A version of a model in the bucket, and how pods get it from there. */
export class ModelUpload extends pulumi.ComponentResource {
  readonly fetch: FetchArgs;

  constructor(name: string, args: ModelUploadArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:ModelUpload", name, {}, opts);
    const { store, fetchProgram } = args;
    const { bucket } = store;
    this.fetch = fetchArgs({ ...args, bucket, programHash: fetchProgram.hash });
    const { program } = this.fetch;
    new k8s.core.v1.ConfigMap(
      program,
      {
        metadata: { namespace: bucket.namespace, name: program, labels: labelsOf("fetch", name) },
        data: { "fetch.mjs": fetchProgram.code },
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    if (args.source !== undefined) this.upload(name, { ...args, source: args.source });
    this.registerOutputs({ prefix: this.fetch.prefix });
  }

  private upload(name: string, { store, source, version, cluster }: ModelUploadArgs & { source: string }): void {
    new command.local.Command(
      name,
      {
        create: `node components/storage/upload/main.ts ${quoted(source)}`,
        dir: checkout,
        triggers: [version, store.identity],
        environment: storeEnvironment(store.upload, cluster),
      },
      { parent: this, dependsOn: [store], customTimeouts: { create: "10m", update: "10m" } },
    );
  }
}
