import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf, selectorOf } from "../labels.ts";
import { ENFORCE_RESTRICTED, restrictedContainer, restrictedPod } from "../restricted.ts";
import { ServingCertificate } from "../tls/servingCertificate.ts";
import { DISCOVERY, definitions, GROUP } from "./definitions.ts";

export interface IstiodArgs {
  readonly image: string;
  /** DNS domain of the cluster. */
  readonly domain: string;
  /** CPU it requests; it has no limit. */
  readonly cpu: string;
  /** Memory it may use. */
  readonly memory: string;
  /** How long it may take to come up, its image's pull included. */
  readonly readySeconds: number;
}

/** Where istiod is: proxies and tools expect it there. */
export const SYSTEM_NAMESPACE = "istio-system";
const NAME = "istiod";
export const XDS_HOST = `${NAME}.${SYSTEM_NAMESPACE}.svc`;
export const XDS_PORT = 15012;
const MONITORING_PORT = 15014;
const HTTP_PORT = 8080;

/**
 * Istio's control plane, without sidecars, webhooks or an authority of its own: it tells gateways what Gateway, VirtualService and
 * DestinationRule say, over TLS and to who has a token of the cluster. It writes nothing into the cluster.
 */
export class Istiod extends pulumi.ComponentResource {
  /** The authority that vouches for it: PEM. */
  readonly ca: pulumi.Output<string>;

  constructor(name: string, args: IstiodArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:gateway:Istiod", name, {}, opts);
    const { readySeconds } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("istiod", name);
    const selector = selectorOf("istiod", name);
    const metadata = { namespace: SYSTEM_NAMESPACE, name: NAME, labels };

    const crds = Object.entries(definitions).map(
      ([crd, spec]) =>
        new k8s.apiextensions.v1.CustomResourceDefinition(crd, { metadata: { name: crd, labels }, spec }, child),
    );
    const place = new k8s.core.v1.Namespace(
      SYSTEM_NAMESPACE,
      { metadata: { name: SYSTEM_NAMESPACE, labels: { ...labels, ...ENFORCE_RESTRICTED, ...DISCOVERY } } },
      child,
    );
    const inPlace = { parent: this, dependsOn: [place] };
    const account = new k8s.core.v1.ServiceAccount(name, { metadata, automountServiceAccountToken: false }, inPlace);
    const clusterName = `inference-stack:${NAME}`;
    const role = new k8s.rbac.v1.ClusterRole(name, { metadata: { name: clusterName, labels }, rules: RULES }, child);
    const binding = new k8s.rbac.v1.ClusterRoleBinding(
      name,
      {
        metadata: { name: clusterName, labels },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: clusterName },
        subjects: [{ kind: "ServiceAccount", name: NAME, namespace: SYSTEM_NAMESPACE }],
      },
      { parent: this, dependsOn: [role, account] },
    );
    const certificate = new ServingCertificate(
      `${name}-xds`,
      { namespace: SYSTEM_NAMESPACE, service: NAME, labels, keyType: "P-256" },
      inPlace,
    );
    const mesh = new k8s.core.v1.ConfigMap(name, { metadata, data: { mesh: JSON.stringify(meshConfig) } }, inPlace);
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          progressDeadlineSeconds: readySeconds,
          selector: { matchLabels: selector },
          template: { metadata: { labels }, spec: istiodPod(args, `${name}-xds`) },
        },
      },
      {
        parent: this,
        // Without its rights it never becomes ready, and does not recover when it gets them.
        dependsOn: [...crds, binding, certificate, mesh],
        customTimeouts: { create: `${readySeconds}s`, update: `${readySeconds}s` },
      },
    );
    new k8s.core.v1.Service(
      name,
      { metadata, spec: { selector, ports: [{ name: "https-xds", port: XDS_PORT, targetPort: "xds" }] } },
      { parent: this, dependsOn: [deployment] },
    );
    this.ca = certificate.ca;
    this.registerOutputs({ ca: this.ca });
  }
}

const READ = ["get", "list", "watch"];

/**
 * All it reads; it has nothing to write. Secrets are among it because a gateway's certificate is one, and whether a gateway may have
 * it is asked of the API server.
 */
const RULES: k8s.types.input.rbac.v1.PolicyRule[] = [
  { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: READ },
  { apiGroups: [GROUP], resources: ["gateways", "virtualservices", "destinationrules"], verbs: READ },
  { apiGroups: [""], resources: ["namespaces", "nodes", "pods", "services", "secrets", "configmaps"], verbs: READ },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: READ },
  {
    apiGroups: ["admissionregistration.k8s.io"],
    resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    verbs: READ,
  },
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
  { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
];

const meshConfig = {
  rootNamespace: SYSTEM_NAMESPACE,
  ingressControllerMode: "OFF",
  enableAutoMtls: false, // there are no sidecars to speak it with, and the gateway would wait for their certificates
  enablePrometheusMerge: false,
  discoverySelectors: [{ matchLabels: DISCOVERY }],
  defaultConfig: { discoveryAddress: `${XDS_HOST}:${XDS_PORT}` },
};

/** Extensions that only Istio's own build of Envoy has, and parts that are not used. */
const OFF = [
  "PILOT_ENABLE_METADATA_EXCHANGE",
  "PILOT_ENABLE_ALPN_FILTER",
  "PILOT_ENABLE_GATEWAY_API",
  "PILOT_ENABLE_GATEWAY_API_STATUS",
  "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER",
  "PILOT_ENABLE_IP_AUTOALLOCATE",
  "ENABLE_LEADER_ELECTION",
  "ENABLE_CA_SERVER",
];

function istiodPod({ image, domain, cpu, memory }: IstiodArgs, secretName: string): k8s.types.input.core.v1.PodSpec {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return {
    ...restrictedPod,
    serviceAccountName: NAME,
    automountServiceAccountToken: true,
    terminationGracePeriodSeconds: 10,
    containers: [
      {
        name: "discovery",
        image,
        args: [
          "discovery",
          `--domain=${domain}`,
          "--clusterID=Kubernetes",
          `--secureGRPCAddr=:${XDS_PORT}`,
          "--grpcAddr=", // nothing without TLS
          "--httpsAddr=",
          `--monitoringAddr=:${MONITORING_PORT}`,
          "--tlsCertFile=/certificate/tls.crt",
          "--tlsKeyFile=/certificate/tls.key",
          "--caCertFile=/certificate/ca.crt",
          "--keepaliveMaxServerConnectionAge=30m",
        ],
        env: [
          field("POD_NAME", "metadata.name"),
          field("POD_NAMESPACE", "metadata.namespace"),
          field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
          ...OFF.map((name) => ({ name, value: "false" })),
          { name: "INJECTION_WEBHOOK_CONFIG_NAME", value: "" },
          { name: "VALIDATION_WEBHOOK_CONFIG_NAME", value: "" },
        ],
        ports: [
          { name: "http", containerPort: HTTP_PORT },
          { name: "xds", containerPort: XDS_PORT },
          { name: "monitoring", containerPort: MONITORING_PORT },
        ],
        startupProbe: { httpGet: { path: "/ready", port: "http" }, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { httpGet: { path: "/ready", port: "http" }, periodSeconds: 3 },
        resources: { requests: { cpu, memory: "64Mi" }, limits: { memory } },
        securityContext: restrictedContainer,
        volumeMounts: [
          { name: "mesh", mountPath: "/etc/istio/config", readOnly: true },
          { name: "certificate", mountPath: "/certificate", readOnly: true },
          { name: "tmp", mountPath: "/tmp" },
        ],
      },
    ],
    volumes: [
      { name: "mesh", configMap: { name: NAME } },
      { name: "certificate", secret: { secretName, defaultMode: 0o440 } },
      { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
    ],
  };
}
