import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf, selectorOf } from "../labels.ts";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { ServingCertificate } from "../tls/servingCertificate.ts";

export interface MetricsServerArgs {
  readonly image: string;
  /** How often it asks the kubelets, in seconds. At least 10. */
  readonly resolution: number;
  /** Talk to kubelets whose certificate the cluster's authority has not signed. */
  readonly insecureKubelets: boolean;
}

/** Where autoscalers read how much CPU pods use, whoever serves it. */
const METRICS_API = "v1beta1.metrics.k8s.io";
const NAMESPACE = "kube-system";
const PORT = 4443;
const CLUSTER_AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/**
 * The metrics API of a cluster that has it; where it is missing the deployment ends here, before it waits for figures that never come.
 *
 * @param cluster something of it: its id is only known once there is a cluster to ask
 */
export function existingMetricsApi(
  name: string,
  cluster: pulumi.CustomResource,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  return k8s.apiregistration.v1.APIService.get(
    name,
    cluster.id.apply(() => METRICS_API),
    opts,
  );
}

/** metrics-server, and with it the API `metrics.k8s.io` that autoscalers and `kubectl top` read. When it is done, the API answers. */
export class MetricsServer extends pulumi.ComponentResource {
  constructor(name: string, args: MetricsServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:scaling:MetricsServer", name, {}, opts);
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("metrics-server", name);
    const selector = selectorOf("metrics-server", name);
    const metadata = { namespace: NAMESPACE, name, labels };
    const account = new k8s.core.v1.ServiceAccount(name, { metadata, automountServiceAccountToken: false }, child);
    const bindings = this.#permissions(name, labels, { parent: this, dependsOn: [account] });
    const certificate = new ServingCertificate(
      `${name}-serving`,
      { namespace: NAMESPACE, service: name, labels },
      { parent: this },
    );
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: selector },
          template: { metadata: { labels }, spec: pod(name, args) },
        },
      },
      {
        parent: this,
        dependsOn: [...bindings, certificate],
        customTimeouts: { create: `${120 + args.resolution}s`, update: `${120 + args.resolution}s` },
      },
    );
    const service = new k8s.core.v1.Service(
      name,
      { metadata, spec: { selector, ports: [{ name: "https", port: 443, targetPort: "https" }] } },
      { parent: this, dependsOn: [deployment] },
    );
    const api = new k8s.apiregistration.v1.APIService(
      METRICS_API,
      {
        metadata: {
          name: METRICS_API,
          labels,
          annotations: { "pulumi.com/waitFor": "condition=Available" },
        },
        spec: {
          group: "metrics.k8s.io",
          version: "v1beta1",
          groupPriorityMinimum: 100,
          versionPriority: 100,
          caBundle: certificate.caBundle,
          service: { namespace: NAMESPACE, name, port: 443 },
        },
      },
      { parent: this, dependsOn: [service], customTimeouts: { create: "60s", update: "60s" } },
    );
    this.registerOutputs({ api: api.id });
  }

  #permissions(name: string, labels: Record<string, string>, opts: pulumi.CustomResourceOptions): pulumi.Resource[] {
    const subjects = [{ kind: "ServiceAccount", name, namespace: NAMESPACE }];
    const apiGroup = "rbac.authorization.k8s.io";
    const clusterName = `inference-stack:${name}`;
    const role = new k8s.rbac.v1.ClusterRole(
      name,
      {
        metadata: { name: clusterName, labels },
        rules: [
          { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
          { apiGroups: [""], resources: ["pods", "nodes"], verbs: ["get", "list", "watch"] },
        ],
      },
      opts,
    );
    return [
      new k8s.rbac.v1.ClusterRoleBinding(
        name,
        {
          metadata: { name: clusterName, labels },
          roleRef: { apiGroup, kind: "ClusterRole", name: clusterName },
          subjects,
        },
        { ...opts, dependsOn: [role] },
      ),
      // Who calls is asked of the API server: whether a token is good, and what it allows.
      new k8s.rbac.v1.ClusterRoleBinding(
        `${name}-delegator`,
        {
          metadata: { name: `${clusterName}:delegator`, labels },
          roleRef: { apiGroup, kind: "ClusterRole", name: "system:auth-delegator" },
          subjects,
        },
        opts,
      ),
      new k8s.rbac.v1.RoleBinding(
        `${name}-reader`,
        {
          metadata: { namespace: NAMESPACE, name: `${name}-reader`, labels },
          roleRef: { apiGroup, kind: "Role", name: "extension-apiserver-authentication-reader" },
          subjects,
        },
        opts,
      ),
    ];
  }
}

function pod(
  name: string,
  { image, resolution, insecureKubelets }: MetricsServerArgs,
): k8s.types.input.core.v1.PodSpec {
  const probe = (path: string) => ({ httpGet: { path, port: "https", scheme: "HTTPS" } });
  return {
    ...restrictedPod,
    serviceAccountName: name,
    automountServiceAccountToken: true,
    priorityClassName: "system-cluster-critical",
    containers: [
      {
        name: "metrics-server",
        image,
        args: [
          `--secure-port=${PORT}`,
          "--tls-cert-file=/certificate/tls.crt",
          "--tls-private-key-file=/certificate/tls.key",
          "--kubelet-preferred-address-types=InternalIP,Hostname",
          "--kubelet-use-node-status-port",
          insecureKubelets ? "--kubelet-insecure-tls" : `--kubelet-certificate-authority=${CLUSTER_AUTHORITY}`,
          `--metric-resolution=${resolution}s`,
          "--kubelet-request-timeout=5s", // longer than 9/10 of the resolution it would not start
        ],
        ports: [{ name: "https", containerPort: PORT }],
        resources: { requests: { cpu: "20m", memory: "40Mi" }, limits: { memory: "200Mi" } },
        securityContext: restrictedContainer,
        startupProbe: { ...probe("/livez"), periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...probe("/readyz"), periodSeconds: 2 },
        livenessProbe: { ...probe("/livez"), periodSeconds: 10 },
        volumeMounts: [{ name: "certificate", mountPath: "/certificate", readOnly: true }],
      },
    ],
    volumes: [{ name: "certificate", secret: { secretName: `${name}-serving`, defaultMode: 0o440 } }],
  };
}
