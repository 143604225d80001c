import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Metadata } from "./labels.ts";

export type Rules = k8s.types.input.rbac.v1.PolicyRule[];

/**
 * Lets a service account do in one namespace what the rules say.
 *
 * @param metadata of the Role and of its binding
 * @param account who may; in any namespace
 * @param after what the binding waits for besides the Role
 * @returns what has to be there before the account is used
 */
export function permit(
  name: string,
  args: { metadata: Metadata; rules: Rules; account: Pick<Metadata, "namespace" | "name">; after?: pulumi.Resource[] },
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  const { metadata, rules, account, after = [] } = args;
  const role = new k8s.rbac.v1.Role(name, { metadata, rules }, opts);
  return new k8s.rbac.v1.RoleBinding(
    name,
    {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
      subjects: [{ kind: "ServiceAccount", name: account.name, namespace: account.namespace }],
    },
    { parent: opts.parent, dependsOn: [role, ...after] },
  );
}

/** A service account that may do in its namespace what the rules say, and nothing else. @returns as `permit` */
export function accountThatMay(
  name: string,
  { metadata, rules }: { metadata: Metadata; rules: Rules },
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  const account = new k8s.core.v1.ServiceAccount(name, { metadata, automountServiceAccountToken: false }, opts);
  return permit(name, { metadata, rules, account: metadata, after: [account] }, opts);
}
