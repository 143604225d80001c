import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labelsOf, selectorOf } from "../../labels.ts";
import { accountThatMay } from "../../permission.ts";
import { ServingCertificate } from "../../tls/servingCertificate.ts";
import type { BucketAccess, StorePods } from "../objectStore.ts";
import { type ClusterAccess, checkout } from "../reach/environment.ts";
import { volumeClaim } from "../volumeClaim.ts";
import { collectJob, collectRules } from "./collect.ts";
import { dockerConfig } from "./dockerConfig.ts";
import { type Contents, REGISTRY_PORT, registryConfig, registryPod } from "./pod.ts";

export interface RegistryArgs {
  readonly namespace: string;
  /** DNS domain of the cluster, such as `cluster.local`. */
  readonly domain: string;
  readonly image: string;
  /** Image with Node.js, for the collection of garbage. */
  readonly nodeImage: string;
  /** Where images are kept: a volume, or a bucket, which its user may manage. */
  readonly contents: { readonly size: string; readonly storageClass?: string } | { readonly bucket: BucketAccess };
  /** Keep the volume when the registry goes, and refuse to destroy or replace the registry. */
  readonly protect: boolean;
  /** When what no image needs any more is deleted, in the syntax of cron. @default - never */
  readonly collect?: string;
  readonly cluster: ClusterAccess;
  /** Of each node: the folder of containerd's registry settings (`config_path`), if this machine sees it. @default - none */
  readonly certsFolders?: readonly string[];
}

/** Who pushes, and where. */
export interface RegistryAccess {
  readonly host: string;
  readonly user: string;
  readonly password: pulumi.Output<string>;
  readonly ca: pulumi.Output<string>;
  readonly pods: StorePods;
}

const USER = "inference-stack";

/** What images of the registry of this name are called by: `<host>/<repository>:<tag>`. */
export const registryHost = (name: string, { namespace, domain }: Pick<RegistryArgs, "namespace" | "domain">) =>
  `${name}.${namespace}.svc.${domain}:${REGISTRY_PORT}`;

/** Secret for `imagePullSecrets`, in the registry's namespace. */
export const pullSecretOf = (name: string) => `${name}-pull`;

/** A registry of images that nodes pull from: over TLS, and for who has its password. */
export class Registry extends pulumi.ComponentResource {
  /** What images are called by: `<host>/<repository>:<tag>`. */
  readonly host: string;
  /** Secret for `imagePullSecrets`, in the registry's namespace. */
  readonly pullSecret: string;
  readonly access: RegistryAccess;
  /** Changes when the registry is made anew, and maybe empty. */
  readonly identity: pulumi.Output<string>;
  /** What containerd has to be told on nodes that this machine does not see: `<config_path>/<host>/hosts.toml` and `ca.crt`. */
  readonly trust: pulumi.Output<{ readonly "hosts.toml": string; readonly "ca.crt": string }>;

  constructor(name: string, args: RegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:storage:Registry", name, {}, opts);
    const { namespace, domain, contents, protect } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("registry", name);
    const selector = selectorOf("registry", name);
    const metadata = (named: string) => ({ namespace, name: named, labels });
    const server = `${name}.${namespace}.svc.${domain}`;
    this.host = registryHost(name, args);
    this.pullSecret = pullSecretOf(name);

    const service = new k8s.core.v1.Service(
      name,
      {
        // Its address is in the certificate, which the pods wait for: it cannot wait for them.
        metadata: { ...metadata(name), annotations: { "pulumi.com/skipAwait": "true" } },
        spec: { selector, ports: [{ name: "https", port: REGISTRY_PORT, targetPort: "https" }] },
      },
      child,
    );
    const address = service.spec.clusterIP;
    const certificate = new ServingCertificate(
      `${name}-tls`,
      { namespace, service: name, labels, names: pulumi.all([server, address, "127.0.0.1"]) },
      child,
    );
    const generate = (what: string) =>
      new random.RandomPassword(`${name}-${what}`, { length: 40, special: false }, { parent: this }).result;
    const [password, httpSecret] = [generate("password"), generate("http-secret")];
    // Loaded when there is a registry. A salt that depends on nothing but the password: the same line every time.
    const htpasswd = password.apply(async (text) => (await import("./htpasswd.ts")).htpasswdLine(USER, text));
    const users = new k8s.core.v1.Secret(
      `${name}-users`,
      { metadata: metadata(`${name}-users`), stringData: { htpasswd, httpSecret } },
      child,
    );
    new k8s.core.v1.Secret(
      this.pullSecret,
      {
        metadata: metadata(this.pullSecret),
        type: "kubernetes.io/dockerconfigjson",
        stringData: { ".dockerconfigjson": password.apply((text) => dockerConfig(this.host, USER, text)) },
      },
      child,
    );
    const bucket = "bucket" in contents ? contents.bucket.bucket : undefined;
    const kept: Contents = bucket ? { bucket } : "volume";
    const settings = new k8s.core.v1.ConfigMap(
      name,
      { metadata: metadata(name), data: { "config.yml": JSON.stringify(registryConfig(kept), null, 2) } },
      child,
    );
    const set = new k8s.apps.v1.StatefulSet(
      name,
      {
        metadata: metadata(name),
        spec: {
          serviceName: name,
          replicas: 1,
          selector: { matchLabels: selector },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: protect ? "Retain" : "Delete", whenScaled: "Retain" },
          template: {
            // It reads its certificate, users and settings when it starts, and only then.
            metadata: {
              labels,
              annotations: { "inference-stack/read-at-start": hashOf(certificate.ca, htpasswd, registryConfig(kept)) },
            },
            spec: registryPod({ image: args.image, name, contents: kept, hasCollection: args.collect !== undefined }),
          },
          ...("size" in contents ? { volumeClaimTemplates: [volumeClaim(contents, labels)] } : {}),
        },
      },
      {
        parent: this,
        dependsOn: [service, certificate, users, settings],
        protect: protect && bucket === undefined,
        customTimeouts: { create: "5m", update: "5m" },
      },
    );
    if (args.collect !== undefined)
      this.#collect(name, { ...args, schedule: args.collect, image: args.nodeImage }, set);

    this.identity = set.metadata.uid;
    this.trust = pulumi
      .all([address, certificate.ca])
      .apply(([ip, ca]) => ({ "hosts.toml": hostsToml(`https://${ip}:${REGISTRY_PORT}`), "ca.crt": ca }));
    if (args.certsFolders?.length) this.#trust(name, args.certsFolders);
    this.access = {
      host: this.host,
      user: USER,
      password,
      ca: certificate.ca,
      pods: { namespace, selector, port: REGISTRY_PORT },
    };
    this.registerOutputs({ host: this.host });
  }

  /** Lets containerd on nodes whose files this machine sees know the registry's address and authority. */
  #trust(name: string, folders: readonly string[]): void {
    const program = "node components/storage/registry/trust.ts";
    new command.local.Command(
      `${name}-trust`,
      {
        create: `${program} write`,
        delete: `${program} remove`,
        dir: checkout,
        environment: {
          HOST: this.host,
          FOLDERS: JSON.stringify(folders),
          FILES: pulumi.jsonStringify(this.trust),
        },
      },
      { parent: this },
    );
  }

  #collect(
    set: string,
    { namespace, schedule, image }: { namespace: string; schedule: string; image: string },
    after: pulumi.Resource,
  ): void {
    const account = `${set}-collect`;
    const labels = labelsOf("registry-collect", set);
    const metadata = { namespace, name: account, labels };
    const child = { parent: this, dependsOn: [after] };
    const allowed = accountThatMay(account, { metadata, rules: collectRules(set) }, child);
    new k8s.batch.v1.CronJob(
      account,
      { metadata, spec: collectJob({ namespace, labels, schedule, image, account, set }) },
      { parent: this, dependsOn: [allowed] },
    );
  }
}

/** A short text that changes when what a pod reads at its start does. */
const hashOf = (...parts: pulumi.Input<unknown>[]): pulumi.Output<string> =>
  pulumi.unsecret(
    pulumi.all(parts).apply((texts) => createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 12)),
  );

/** containerd's settings for one registry, which it dials at another URL than the images' names say. */
export function hostsToml(url: string): string {
  return `server = "${url}"

[host."${url}"]
  capabilities = ["pull", "resolve"]
  ca = "ca.crt"
`;
}
