import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { KeyType, Pems } from "./authority.ts";

export interface ServingCertificateArgs {
  readonly namespace: string;
  /** Name of the Service that clients dial. */
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Further DNS names and IP addresses by which it is dialled. @default - none besides `<service>.<namespace>[.svc]` */
  readonly names?: pulumi.Input<readonly string[]>;
  /** Of the server's key. @default - Ed25519 */
  readonly keyType?: KeyType;
}

/**
 * What a server in the cluster needs to be dialled over TLS: a Secret with `tls.crt`, `tls.key` and `ca.crt`, and
 * the authority to verify it with. Derived from a random secret in the stack's state, so it stays as it is until that is replaced
 * (`pulumi up --replace` of the RandomPassword).
 */
export class ServingCertificate extends pulumi.ComponentResource {
  readonly secret: k8s.core.v1.Secret;
  /** The authority's certificate as webhooks and API services take it: PEM in base64. */
  readonly caBundle: pulumi.Output<string>;
  /** The same as PEM text. */
  readonly ca: pulumi.Output<string>;

  readonly #issue: (issuing: Issuing) => pulumi.Output<Pems>;

  constructor(name: string, args: ServingCertificateArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:tls:ServingCertificate", name, {}, opts);
    const { namespace, service, labels, keyType } = args;
    const names = pulumi
      .output(args.names ?? [])
      .apply((more) => [`${service}.${namespace}.svc`, `${service}.${namespace}`, ...more]);
    const seed = new random.RandomPassword(name, { length: 64, special: false }, { parent: this }).result;
    // Loaded when there is something to derive: it takes a third of a second.
    this.#issue = (issuing) =>
      pulumi.all([seed, names]).apply(async ([secret, all]) => issuing(await import("./authority.ts"), secret, all));
    const pems = this.#issue((authority, secret, all) => authority.servingPems(secret, all, keyType));
    this.secret = new k8s.core.v1.Secret(
      name,
      {
        metadata: { namespace, name, labels },
        type: "kubernetes.io/tls",
        stringData: { "tls.crt": pems.certificate, "tls.key": pems.key, "ca.crt": pems.ca },
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.ca = pulumi.unsecret(pems.ca);
    this.caBundle = this.ca.apply((ca) => Buffer.from(ca).toString("base64"));
    this.registerOutputs({ caBundle: this.caBundle });
  }

  /** A certificate of the same authority for a client, where the server asks for one. Its key is P-256. */
  forClient(subject: string): pulumi.Output<Pems> {
    return this.#issue((authority, secret, [server]) => authority.clientPems(secret, server!, subject, "P-256"));
  }
}

type Issuing = (authority: typeof import("./authority.ts"), secret: string, names: readonly string[]) => Promise<Pems>;
