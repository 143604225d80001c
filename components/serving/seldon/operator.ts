import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf, selectorOf } from "../../labels.ts";
import { operatorGround, operatorWithWebhook } from "../../operator.ts";
import { permit } from "../../permission.ts";
import { restrictedContainer, restrictedPod } from "../../restricted.ts";
import { ServingCertificate } from "../../tls/servingCertificate.ts";
import { definition, GROUP, PLURAL } from "./definition.ts";

export interface SeldonOperatorArgs {
  /** The operator's own namespace, which it gets to itself. */
  readonly namespace: string;
  /** The namespace whose SeldonDeployments it looks after; it may do nothing elsewhere. */
  readonly watched: string;
  readonly image: string;
  /** `NAMESPACE/NAME` of the Istio Gateway to which it attaches a route for each SeldonDeployment. @default - it makes none */
  readonly gateway?: string;
}

const WEBHOOK_PORT = 4443;
const METRICS_PORT = 8080;
const VALIDATE = "/validate-machinelearning-seldon-io-v1-seldondeployment";
/** Where the operator's webhook server looks for its certificate. */
const CERTIFICATES = "/tmp/k8s-webhook-server/serving-certs";

/**
 * Seldon Core's operator: makes Deployments and Services of SeldonDeployments, and refuses those that make no sense. When this
 * component is done, its webhook answers.
 */
export class SeldonOperator extends pulumi.ComponentResource {
  constructor(name: string, args: SeldonOperatorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:serving:SeldonOperator", name, {}, opts);
    const { namespace, watched, image, gateway } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("seldon-operator", name);
    const selector = selectorOf("seldon-operator", name);
    const metadata = { namespace, name, labels };

    const kind = { plural: PLURAL, group: GROUP, definition };
    const { crd, place, account } = operatorGround(metadata, kind, child);
    const allowed = permit(
      name,
      {
        metadata: { ...metadata, namespace: watched },
        rules: gateway ? [...RULES, ROUTES] : RULES,
        account: metadata,
        after: [account],
      },
      child,
    );
    const certificate = new ServingCertificate(
      `${name}-webhook`,
      { namespace, service: name, labels },
      { parent: this, dependsOn: [place] },
    );
    const pod = operatorPod({ account: name, image, watched, gateway, secretName: `${name}-webhook` });
    const service = operatorWithWebhook(metadata, { selector, pod, after: [crd, allowed, certificate] }, this);
    const webhook = new k8s.admissionregistration.v1.ValidatingWebhookConfiguration(
      name,
      {
        metadata: { name: `${name}.${watched}`, labels },
        webhooks: [
          {
            name: `seldondeployments.${GROUP}`,
            admissionReviewVersions: ["v1"],
            sideEffects: "None",
            failurePolicy: "Fail",
            timeoutSeconds: 5,
            clientConfig: {
              caBundle: certificate.caBundle,
              service: { namespace, name, path: VALIDATE, port: 443 },
            },
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": watched } },
            rules: [
              {
                apiGroups: [GROUP],
                apiVersions: ["v1"],
                resources: [PLURAL],
                operations: ["CREATE", "UPDATE"],
                scope: "Namespaced",
              },
            ],
          },
        ],
      },
      { parent: this, dependsOn: [service] },
    );
    this.registerOutputs({ webhook: webhook.id });
  }
}

const READ = ["get", "list", "watch"];
const MANAGE = [...READ, "create", "update", "patch", "delete"];

/** All the operator does for the SeldonDeployments of this program. It looks for autoscalers and budgets, but has none to make. */
const RULES: k8s.types.input.rbac.v1.PolicyRule[] = [
  { apiGroups: [GROUP], resources: [PLURAL], verbs: READ },
  { apiGroups: [GROUP], resources: [`${PLURAL}/status`], verbs: ["get", "update", "patch"] },
  { apiGroups: [GROUP], resources: [`${PLURAL}/finalizers`], verbs: ["update"] },
  { apiGroups: ["apps"], resources: ["deployments"], verbs: MANAGE },
  { apiGroups: [""], resources: ["services"], verbs: MANAGE },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: READ },
  { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: READ },
  { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
];

/** And for their routes. */
const ROUTES: k8s.types.input.rbac.v1.PolicyRule = {
  apiGroups: ["networking.istio.io"],
  resources: ["virtualservices", "destinationrules"],
  verbs: MANAGE,
};

function operatorPod({
  account,
  image,
  watched,
  gateway,
  secretName,
}: {
  account: string;
  image: string;
  watched: string;
  gateway: string | undefined;
  secretName: string;
}): k8s.types.input.core.v1.PodSpec {
  return {
    ...restrictedPod,
    serviceAccountName: account,
    automountServiceAccountToken: true,
    terminationGracePeriodSeconds: 10,
    containers: [
      {
        name: "manager",
        image,
        args: [`--webhook-port=${WEBHOOK_PORT}`, `--metrics-addr=:${METRICS_PORT}`, "--log-level=INFO"],
        env: [
          { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
          { name: "WATCH_NAMESPACE", value: watched },
          { name: "ISTIO_ENABLED", value: String(gateway !== undefined) },
          ...(gateway === undefined ? [] : [{ name: "ISTIO_GATEWAY", value: gateway }]),
          { name: "AMBASSADOR_ENABLED", value: "false" },
          { name: "KEDA_ENABLED", value: "false" },
        ],
        ports: [
          { name: "webhook", containerPort: WEBHOOK_PORT },
          { name: "metrics", containerPort: METRICS_PORT },
        ],
        // It has started when its webhook answers; asking that again and again would fill its log with complaints.
        startupProbe: {
          httpGet: { path: VALIDATE, port: "webhook", scheme: "HTTPS" },
          periodSeconds: 1,
          failureThreshold: 120,
        },
        readinessProbe: { httpGet: { path: "/metrics", port: "metrics" }, periodSeconds: 5 },
        livenessProbe: { httpGet: { path: "/metrics", port: "metrics" }, periodSeconds: 20, timeoutSeconds: 5 },
        resources: { requests: { cpu: "20m", memory: "48Mi" }, limits: { memory: "256Mi" } },
        securityContext: restrictedContainer,
        volumeMounts: [{ name: "certificate", mountPath: CERTIFICATES, readOnly: true }],
      },
    ],
    volumes: [{ name: "certificate", secret: { secretName, defaultMode: 0o440 } }],
  };
}
