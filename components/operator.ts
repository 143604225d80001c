import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Metadata } from "./labels.ts";
import { ENFORCE_RESTRICTED } from "./restricted.ts";

/** How long an operator may take to come up, its image's pull included. */
const READY_SECONDS = 180;

/** What an operator needs before it can be allowed anything: the kind it looks after, a namespace to itself, and an account. */
export function operatorGround(
  { namespace, name, labels }: Metadata,
  kind: {
    readonly plural: string;
    readonly group: string;
    readonly definition: k8s.types.input.apiextensions.v1.CustomResourceDefinitionSpec;
  },
  child: pulumi.CustomResourceOptions,
) {
  const crd = new k8s.apiextensions.v1.CustomResourceDefinition(
    `${kind.plural}.${kind.group}`,
    {
      metadata: { name: `${kind.plural}.${kind.group}`, labels },
      spec: kind.definition,
    },
    child,
  );
  const place = new k8s.core.v1.Namespace(
    namespace,
    { metadata: { name: namespace, labels: { ...labels, ...ENFORCE_RESTRICTED } } },
    child,
  );
  const account = new k8s.core.v1.ServiceAccount(
    name,
    { metadata: { namespace, name, labels }, automountServiceAccountToken: false },
    { parent: child.parent, dependsOn: [place] },
  );
  return { crd, place, account };
}

/** The operator itself, and the Service by which the API server reaches its webhook: there when that answers. */
export function operatorWithWebhook(
  metadata: Metadata,
  {
    selector,
    pod,
    after,
  }: {
    readonly selector: Readonly<Record<string, string>>;
    readonly pod: k8s.types.input.core.v1.PodSpec;
    readonly after: pulumi.Resource[];
  },
  parent: pulumi.Resource,
): k8s.core.v1.Service {
  const deployment = new k8s.apps.v1.Deployment(
    metadata.name,
    {
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: "Recreate" }, // two at once would both act on the same objects
        selector: { matchLabels: selector },
        template: { metadata: { labels: metadata.labels }, spec: pod },
      },
    },
    {
      parent,
      dependsOn: after,
      customTimeouts: { create: `${READY_SECONDS}s`, update: `${READY_SECONDS}s` },
    },
  );
  return new k8s.core.v1.Service(
    metadata.name,
    { metadata, spec: { selector, ports: [{ name: "webhook", port: 443, targetPort: "webhook" }] } },
    { parent, dependsOn: [deployment] },
  );
}
