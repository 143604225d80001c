import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf, selectorOf } from "../labels.ts";
import { accountThatMay } from "../permission.ts";
import { ENFORCE_RESTRICTED, restrictedContainer, restrictedPod } from "../restricted.ts";
import { bootstrap, STATUS_PORT, TOKEN_FILE, tokenSecret } from "./bootstrap.ts";
import { DISCOVERY } from "./definitions.ts";

export interface EnvoyArgs {
  /** DNS domain of the cluster. */
  readonly domain: string;
  /** A namespace of its own: istiod hands it any Secret in it. */
  readonly namespace: string;
  /** Name of its Service. */
  readonly service: string;
  readonly serviceType: "ClusterIP" | "NodePort" | "LoadBalancer";
  /** Value of the label `istio`, by which a Gateway selects it. */
  readonly label: string;
  readonly image: string;
  /** Event loops of each pod. */
  readonly threads: number;
  readonly replicas: number;
  /** Memory of each pod. */
  readonly memory: string;
  readonly maxConnections: number;
  /** The authority that vouches for istiod: PEM. */
  readonly istiodCa: pulumi.Input<string>;
  /** How long it may take until it has heard from istiod, its image's pull included. */
  readonly readySeconds: number;
}

const HTTPS_PORT = 8443;
/** A pod that ends goes on serving for this long, until nobody sends it anything new. */
const DRAIN_SECONDS = 5;

/** The ingress gateway: stock Envoys that istiod tells what to do. */
export class Envoy extends pulumi.ComponentResource {
  constructor(name: string, args: EnvoyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:gateway:Envoy", name, {}, opts);
    const { namespace, service, replicas, readySeconds } = args;
    const labels = { ...labelsOf("gateway", name), istio: args.label };
    const selector = { ...selectorOf("gateway", name), istio: args.label };
    const metadata = { namespace, name: service, labels };

    const place = new k8s.core.v1.Namespace(
      namespace,
      { metadata: { name: namespace, labels: { ...labels, ...ENFORCE_RESTRICTED, ...DISCOVERY } } },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    const inPlace = { parent: this, dependsOn: [place] };
    // Never used by Envoy itself: istiod asks whether this account may read a certificate before it hands it out.
    const account = accountThatMay(
      name,
      { metadata, rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch"] }] },
      inPlace,
    );
    const files = pulumi.output(args.istiodCa).apply((ca) => ({
      "envoy.json": JSON.stringify(bootstrap({ ...args, account: service, labels: { istio: args.label } }), null, 1),
      "token.json": JSON.stringify(tokenSecret),
      "istiod-ca.pem": ca,
    }));
    // Another name for other content: Envoys that are there keep theirs, and a new one that does not come up takes nothing away.
    const configName = files.apply((all) => `${service}-${hashOf(all)}`);
    const config = new k8s.core.v1.ConfigMap(
      name,
      { metadata: { ...metadata, name: configName }, data: files },
      inPlace,
    );
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas,
          progressDeadlineSeconds: readySeconds,
          selector: { matchLabels: selector },
          template: {
            metadata: { labels },
            spec: envoyPod(args, configName),
          },
        },
      },
      {
        parent: this,
        dependsOn: [account, config],
        customTimeouts: { create: `${readySeconds}s`, update: `${readySeconds}s` },
      },
    );
    new k8s.core.v1.Service(
      name,
      {
        metadata,
        spec: { type: args.serviceType, selector, ports: [{ name: "https", port: 443, targetPort: HTTPS_PORT }] },
      },
      { parent: this, dependsOn: [deployment] },
    );
    this.registerOutputs();
  }
}

function envoyPod(
  { service, image, domain, threads, memory, readySeconds }: EnvoyArgs,
  configName: pulumi.Input<string>,
): k8s.types.input.core.v1.PodSpec {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const ready = { httpGet: { path: "/healthz/ready", port: "status" } };
  return {
    ...restrictedPod,
    serviceAccountName: service,
    terminationGracePeriodSeconds: 3 * DRAIN_SECONDS,
    containers: [
      {
        name: "envoy",
        image,
        args: [
          "--config-path",
          "/etc/envoy/envoy.json",
          "--service-node",
          `router~$(POD_IP)~$(POD_NAME).$(POD_NAMESPACE)~$(POD_NAMESPACE).svc.${domain}`,
          "--concurrency",
          String(threads),
          "--log-level",
          "warning",
          "--component-log-level", // istiod still sets fields that this Envoy calls deprecated
          "misc:error",
          "--drain-time-s",
          String(DRAIN_SECONDS),
        ],
        env: [
          field("POD_NAME", "metadata.name"),
          field("POD_NAMESPACE", "metadata.namespace"),
          field("POD_IP", "status.podIP"),
        ],
        ports: [
          { name: "https", containerPort: HTTPS_PORT },
          { name: "status", containerPort: STATUS_PORT },
        ],
        lifecycle: { preStop: { sleep: { seconds: DRAIN_SECONDS } } },
        startupProbe: { ...ready, periodSeconds: 1, failureThreshold: readySeconds },
        readinessProbe: { ...ready, periodSeconds: 3 },
        resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory } },
        securityContext: restrictedContainer,
        volumeMounts: [
          { name: "config", mountPath: "/etc/envoy", readOnly: true },
          { name: "token", mountPath: TOKEN_FILE.slice(0, TOKEN_FILE.lastIndexOf("/")), readOnly: true },
          { name: "tmp", mountPath: "/tmp" },
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name: configName } },
      {
        name: "token",
        projected: {
          sources: [{ serviceAccountToken: { path: "istio-token", audience: "istio-ca", expirationSeconds: 43_200 } }],
        },
      },
      { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
    ],
  };
}

const hashOf = (data: Readonly<Record<string, string>>): string =>
  createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 12);
