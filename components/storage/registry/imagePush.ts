import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type ClusterAccess, checkout, clusterEnvironment, selectorText } from "../reach/environment.ts";
import { quoted } from "../reach/quoted.ts";
import type { Registry } from "./registry.ts";

export interface ImagePushArgs {
  readonly registry: Registry;
  /** File with the image, as `docker save` writes it. */
  readonly archive: string;
  /** Its name in the registry, such as `serving/triton`. */
  readonly repository: string;
  /** Has to change with the content: an image is pushed again when its tag is another. */
  readonly tag: string;
  readonly cluster: ClusterAccess;
}

/** What pods call an image of the registry at `host`. */
export const imageReference = (host: string, { repository, tag }: Pick<ImagePushArgs, "repository" | "tag">) =>
  `${host}/${repository}:${tag}`;

/** An image of this machine, in the registry. */
export class ImagePush extends pulumi.ComponentResource {
  /** What pods call it. It is there when this component is done. */
  readonly reference: string;

  constructor(name: string, args: ImagePushArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:ImagePush", name, {}, opts);
    const { registry, archive, repository, tag, cluster } = args;
    const { host, user, password, ca, pods } = registry.access;
    this.reference = imageReference(host, args);
    new command.local.Command(
      name,
      {
        create: `node components/storage/registry/main.ts ${quoted(archive)} ${quoted(`${repository}:${tag}`)}`,
        dir: checkout,
        triggers: [this.reference, registry.identity],
        environment: {
          ...clusterEnvironment(cluster),
          POD_NAMESPACE: pods.namespace,
          POD_SELECTOR: selectorText(pods.selector),
          POD_PORT: String(pods.port),
          REGISTRY_USER: user,
          REGISTRY_PASSWORD: password,
          REGISTRY_CA: ca,
        },
      },
      { parent: this, dependsOn: [registry], customTimeouts: { create: "15m", update: "15m" } },
    );
    this.registerOutputs({ reference: this.reference });
  }
}
