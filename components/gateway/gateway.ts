import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../labels.ts";
import type { ServiceFacts } from "../serving/inferenceService.ts";
import { ServingCertificate } from "../tls/servingCertificate.ts";
import { istioCharts } from "./charts.ts";
import { API_VERSION } from "./definitions.ts";
import { Envoy, type EnvoyArgs } from "./envoy.ts";
import { Istiod, type IstiodArgs } from "./istiod.ts";
import { destinationSpec, gatewaySpec, routeSpec } from "./routes.ts";

/** A certificate with its key: PEM texts. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface GatewayArgs extends Omit<EnvoyArgs, "istiodCa" | "image"> {
  /** `manifests`: our own, of istiod and a stock Envoy. `chart`: the official ones. `installed`: nothing to do. */
  readonly mode: "manifests" | "chart" | "installed";
  /** The namespace of the servers. */
  readonly served: string;
  /** DNS name under which clients reach the servers. */
  readonly host: string;
  /** The user's own certificate for it. @default - one of an authority of the stack's own */
  readonly certificate?: KeyPair;
  /** The authority that vouches for the user's certificate. @default - one that everybody trusts */
  readonly certificateCa?: string;
  /** Clients have to show a certificate. */
  readonly isMutual: boolean;
  /** The authority that vouches for the clients. @default - the stack's own */
  readonly clientCa?: string;
  /** What the load client shows, if there is a `clientCa`. */
  readonly client?: KeyPair;
  readonly istiod: Pick<IstiodArgs, "cpu" | "memory">;
  readonly images: { readonly istiod: string; readonly envoy: string };
}

/** What a client inside the cluster has to know. */
export interface Access {
  readonly address: string;
  readonly port: number;
  /** The name to ask for, which the certificate has. */
  readonly host: string;
  /** Secret in the servers' namespace: `ca.crt` if the authority is not one that everybody trusts; if `isMutual` also `tls.crt`, `tls.key`. */
  readonly secretName: string;
  readonly hasCa: boolean;
  readonly isMutual: boolean;
}

/** What clients of the gateway of this name have to know. */
export function gatewayAccess(
  name: string,
  args: Pick<GatewayArgs, "namespace" | "service" | "domain" | "host" | "certificate" | "certificateCa" | "isMutual">,
): Access {
  const { namespace, service, domain, host, certificate, certificateCa, isMutual } = args;
  return {
    address: `${service}.${namespace}.svc.${domain}`,
    port: 443,
    host,
    secretName: `${name}-client`,
    hasCa: certificate === undefined || certificateCa !== undefined,
    isMutual,
  };
}

/** Name of the load client in its certificate. */
const CLIENT = "inference-stack-client";

/** Istio's ingress gateway in front of the servers, over TLS. */
export class Gateway extends pulumi.ComponentResource {
  /** `NAMESPACE/NAME` of the Gateway, as routes name it. */
  readonly gateway: string;
  readonly access: Access;
  /** The authority that vouches for the gateway: PEM; undefined if it is one that everybody trusts. */
  readonly ca: pulumi.Output<string | undefined>;
  readonly #args: GatewayArgs;

  constructor(name: string, args: GatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:gateway:Gateway", name, {}, opts);
    const { namespace, served, host, service, label, isMutual } = args;
    this.#args = args;
    const labels = labelsOf("gateway", name);
    const installed = this.#install(name, opts);
    const after = { parent: this, dependsOn: installed.length > 0 ? installed : opts?.dependsOn };
    const credential = `${served}-tls`;
    const own = args.certificate
      ? undefined
      : new ServingCertificate(credential, { namespace, service, labels, names: [host], keyType: "P-256" }, after);
    const secret = (named: string, inNamespace: string, data: Readonly<Record<string, pulumi.Input<string>>>) =>
      new k8s.core.v1.Secret(
        named,
        { metadata: { namespace: inNamespace, name: named, labels }, stringData: data },
        after,
      );
    const certificate = own ?? secret(credential, namespace, pairOf(args.certificate!));
    // Istio looks for the authority of the clients beside the certificate first.
    if (isMutual && args.clientCa) secret(`${credential}-cacert`, namespace, { "ca.crt": args.clientCa });
    new k8s.apiextensions.CustomResource(
      served,
      {
        apiVersion: API_VERSION,
        kind: "Gateway",
        metadata: { namespace, name: served, labels },
        spec: gatewaySpec({ label, namespace: served, host, credential, isMutual }),
      },
      { parent: this, dependsOn: [certificate] },
    );

    this.ca = own ? own.ca : pulumi.output(args.certificateCa);
    const shown = isMutual ? (args.client ?? own?.forClient(CLIENT)) : undefined;
    this.access = gatewayAccess(name, args);
    secret(this.access.secretName, served, {
      ...(own || args.certificateCa ? { "ca.crt": this.ca as pulumi.Output<string> } : {}),
      ...(shown ? pairOf(shown) : {}),
    });
    this.gateway = `${namespace}/${served}`;
    this.registerOutputs({ access: this.access });
  }

  /** Istio itself. */
  #install(name: string, opts?: pulumi.ComponentResourceOptions): pulumi.Resource[] {
    const args = this.#args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    switch (args.mode) {
      case "manifests": {
        const istiod = new Istiod(
          "istiod",
          { ...args.istiod, domain: args.domain, image: args.images.istiod, readySeconds: args.readySeconds },
          child,
        );
        const envoy = new Envoy(
          `${name}-envoy`,
          { ...args, image: args.images.envoy, istiodCa: istiod.ca },
          { parent: this, dependsOn: [istiod] },
        );
        return [istiod, envoy];
      }
      case "chart":
        return istioCharts("istio", { istiod: args.istiod, envoy: args }, child);
      case "installed":
        return [];
    }
  }
}

/** As Secrets have it; the key of a pair that the user gave is a secret from here on. */
function pairOf(pair: pulumi.Input<KeyPair>): { "tls.crt": pulumi.Output<string>; "tls.key": pulumi.Output<string> } {
  const known = pulumi.output(pair);
  return { "tls.crt": known.apply((p) => p.certificate), "tls.key": pulumi.secret(known.apply((p) => p.key)) };
}

export interface RouteArgs {
  readonly namespace: string;
  readonly service: ServiceFacts;
  readonly gateway: Gateway;
  readonly timeoutSeconds: number;
  readonly maxConnections: number;
  /** Something else routes by Seldon's paths and headers. */
  readonly hasSeldonRoutes: boolean;
}

/** The way from the gateway to the servers. */
export class Route extends pulumi.ComponentResource {
  constructor(name: string, args: RouteArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:gateway:Route", name, {}, opts);
    const { namespace, service, gateway, maxConnections } = args;
    const { host, ports } = service.endpoint;
    const [deployment] = host.split(".");
    const custom = (kind: string, spec: object) =>
      new k8s.apiextensions.CustomResource(
        `${name}-${kind.toLowerCase()}`,
        { apiVersion: API_VERSION, kind, metadata: { namespace, name, labels: labelsOf("gateway", name) }, spec },
        { parent: this, dependsOn: opts?.dependsOn },
      );
    custom("DestinationRule", destinationSpec(host, maxConnections));
    custom(
      "VirtualService",
      routeSpec({
        ...args,
        name: deployment!,
        service: host,
        ports,
        host: gateway.access.host,
        gateway: gateway.gateway,
      }),
    );
    this.registerOutputs();
  }
}
