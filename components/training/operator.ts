import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf, selectorOf } from "../labels.ts";
import { operatorGround, operatorWithWebhook } from "../operator.ts";
import { permit, type Rules } from "../permission.ts";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { definition, GROUP, PLURAL } from "./definition.ts";

export interface TrainingOperatorArgs {
  /** The operator's own namespace, which it gets to itself. */
  readonly namespace: string;
  /** The namespace whose TFJobs it looks after; it may do nothing elsewhere. */
  readonly watched: string;
  readonly image: string;
}

/** The operator knows its webhook by this name only, makes a certificate for it, and enters its authority there. */
const WEBHOOK = "validator.training-operator.kubeflow.org";
const CERTIFICATES = "/tmp/k8s-webhook-server/serving-certs";
const WEBHOOK_PORT = 9443;
const PROBE_PORT = 8081;

/**
 * Kubeflow's training operator, version 1: makes pods and Services of TFJobs, and refuses those that make no sense. When this
 * component is done, its webhook answers.
 */
export class TrainingOperator extends pulumi.ComponentResource {
  constructor(name: string, args: TrainingOperatorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:training:TrainingOperator", name, {}, opts);
    const { namespace, watched, image } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("training-operator", name);
    const selector = selectorOf("training-operator", name);
    const metadata = { namespace, name, labels };
    const secretName = `${name}-webhook`;

    const kind = { plural: PLURAL, group: GROUP, definition };
    const { crd, place, account } = operatorGround(metadata, kind, child);
    const permissions = this.#permissions(name, { ...args, labels, secretName }, [place, account]);
    // Both are made empty: the operator may fill them, but not create any.
    const certificate = new k8s.core.v1.Secret(
      secretName,
      { metadata: { ...metadata, name: secretName } },
      { parent: this, dependsOn: [place], ignoreChanges: ["data", "stringData"] },
    );
    const webhook = new k8s.admissionregistration.v1.ValidatingWebhookConfiguration(
      name,
      { metadata: { name: WEBHOOK, labels }, webhooks: [validation({ namespace, service: name, watched })] },
      { ...child, ignoreChanges: ["webhooks[0].clientConfig.caBundle"] },
    );
    const pod = operatorPod({ name, image, watched, secretName });
    const after = [crd, ...permissions, certificate, webhook];
    const service = operatorWithWebhook(metadata, { selector, pod, after }, this);
    this.registerOutputs({ service: service.id });
  }

  /** In the watched namespace TFJobs and what they are made of, in its own the certificate, and in the cluster the webhook. */
  #permissions(
    name: string,
    args: TrainingOperatorArgs & { labels: Record<string, string>; secretName: string },
    dependsOn: pulumi.Resource[],
  ): pulumi.Resource[] {
    const { namespace, watched, labels, secretName } = args;
    const opts = { parent: this, dependsOn };
    const allowed = (at: string, named: string, rules: Rules) =>
      permit(named, { metadata: { namespace: at, name: named, labels }, rules, account: { namespace, name } }, opts);
    const clusterName = `inference-stack:${name}`;
    const role = new k8s.rbac.v1.ClusterRole(
      name,
      { metadata: { name: clusterName, labels }, rules: WEBHOOK_RULES },
      opts,
    );
    return [
      allowed(watched, name, JOB_RULES),
      allowed(namespace, `${name}-certificate`, [
        { apiGroups: [""], resources: ["secrets"], verbs: READ },
        { apiGroups: [""], resources: ["secrets"], resourceNames: [secretName], verbs: ["update"] },
      ]),
      new k8s.rbac.v1.ClusterRoleBinding(
        name,
        {
          metadata: { name: clusterName, labels },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: clusterName },
          subjects: [{ kind: "ServiceAccount", name, namespace }],
        },
        { parent: this, dependsOn: [role] },
      ),
    ];
  }
}

const READ = ["get", "list", "watch"];
const MANAGE = [...READ, "create", "update", "patch", "delete"];

const JOB_RULES: k8s.types.input.rbac.v1.PolicyRule[] = [
  { apiGroups: [GROUP], resources: [PLURAL], verbs: [...READ, "delete"] }, // those whose time to live is over
  { apiGroups: [GROUP], resources: [`${PLURAL}/status`], verbs: ["get", "update", "patch"] },
  { apiGroups: [GROUP], resources: [`${PLURAL}/finalizers`], verbs: ["update"] },
  { apiGroups: [""], resources: ["pods", "services"], verbs: MANAGE },
  { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
];

const WEBHOOK_RULES: k8s.types.input.rbac.v1.PolicyRule[] = [
  { apiGroups: ["admissionregistration.k8s.io"], resources: ["validatingwebhookconfigurations"], verbs: READ },
  {
    apiGroups: ["admissionregistration.k8s.io"],
    resources: ["validatingwebhookconfigurations"],
    resourceNames: [WEBHOOK],
    verbs: ["update"],
  },
];

function validation(args: {
  namespace: string;
  service: string;
  watched: string;
}): k8s.types.input.admissionregistration.v1.ValidatingWebhook {
  return {
    name: `validator.tfjob.training-operator.${GROUP}`,
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    failurePolicy: "Fail",
    timeoutSeconds: 10,
    clientConfig: {
      service: { namespace: args.namespace, name: args.service, path: "/validate-kubeflow-org-v1-tfjob", port: 443 },
    },
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": args.watched } },
    rules: [
      {
        apiGroups: [GROUP],
        apiVersions: ["v1"],
        resources: [PLURAL],
        operations: ["CREATE", "UPDATE"],
        scope: "Namespaced",
      },
    ],
  };
}

function operatorPod({
  name,
  image,
  watched,
  secretName,
}: {
  name: string;
  image: string;
  watched: string;
  secretName: string;
}): k8s.types.input.core.v1.PodSpec {
  const probe = (path: string) => ({ httpGet: { path, port: "probe" } });
  return {
    ...restrictedPod,
    serviceAccountName: name,
    automountServiceAccountToken: true,
    terminationGracePeriodSeconds: 10,
    containers: [
      {
        name: "manager",
        image,
        args: [
          "--enable-scheme=tfjob",
          `--namespace=${watched}`,
          `--webhook-server-port=${WEBHOOK_PORT}`,
          `--webhook-service-name=${name}`,
          `--webhook-secret-name=${secretName}`,
          `--health-probe-bind-address=:${PROBE_PORT}`,
          "--zap-devel=false",
        ],
        env: [{ name: "MY_POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } }],
        ports: [
          { name: "webhook", containerPort: WEBHOOK_PORT },
          { name: "probe", containerPort: PROBE_PORT },
        ],
        startupProbe: { ...probe("/healthz"), periodSeconds: 1, failureThreshold: 120 },
        readinessProbe: { ...probe("/readyz"), periodSeconds: 2 },
        livenessProbe: { ...probe("/healthz"), periodSeconds: 20, timeoutSeconds: 5 },
        resources: { requests: { cpu: "20m", memory: "32Mi" }, limits: { memory: "256Mi" } },
        securityContext: restrictedContainer,
        volumeMounts: [{ name: "certificate", mountPath: CERTIFICATES, readOnly: true }],
      },
    ],
    volumes: [{ name: "certificate", secret: { secretName, defaultMode: 0o440 } }],
  };
}
