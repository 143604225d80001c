import { type PlainObject, type Properties, plain, Unknown } from "../properties.ts";
import type { Failure } from "../provider.ts";
import { loadAccess } from "./kubeconfig.ts";

/** The provider's configuration, from its inputs and then from the environment. */
export interface Config {
  /** A path or the text itself; undefined: what KUBECONFIG or the home folder hold. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** For objects that name none. */
  readonly namespace?: string;
  readonly clusterIdentifier?: string;
  readonly enablePatchForce: boolean;
  readonly enableConfigMapMutable: boolean;
  readonly enableSecretMutable: boolean;
  /** Forget objects whose cluster does not answer. */
  readonly deleteUnreachable: boolean;
}

export function readConfig(args: Properties): Config {
  const given = plain(args);
  const text = (key: string, variable?: string) =>
    stringOf(given, key) ?? (variable && process.env[variable]) ?? undefined;
  const flag = (key: string, variable: string) => text(key, variable) === "true";
  return {
    kubeconfig: text("kubeconfig"),
    context: text("context", "PULUMI_K8S_CONTEXT"),
    namespace: text("namespace", "PULUMI_K8S_NAMESPACE"),
    clusterIdentifier: text("clusterIdentifier", "PULUMI_K8S_CLUSTER_IDENTIFIER"),
    enablePatchForce: flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
    enableConfigMapMutable: flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
    enableSecretMutable: flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
    deleteUnreachable: flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
  };
}

/** The SDK sends booleans as JSON text; anything that is not text is taken as what it would be there. */
function stringOf(given: PlainObject, key: string): string | undefined {
  const value = given[key];
  if (value === undefined || value === null || value instanceof Unknown || value === "") return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Options of the official provider that would silently mean something else here. */
export function checkConfig(news: Properties): Failure[] {
  const given = plain(news);
  const failures: Failure[] = [];
  if (stringOf(given, "enableServerSideApply") === "false")
    failures.push({
      property: "enableServerSideApply",
      reason: "the embedded provider only updates by server-side apply; leave it out or set true",
    });
  for (const property of ["renderYamlToDirectory", "cluster"])
    if (stringOf(given, property))
      failures.push({
        property,
        reason: "the embedded provider does not have this option; use the official Pulumi CLI for it",
      });
  return failures;
}

/**
 * The config properties that make it another cluster, and so every object another object: the identifier if one is given,
 * else the address and authority that the kubeconfig leads to.
 */
export function replacedBy(olds: Properties, news: Properties): string[] {
  const [before, after] = [readConfig(olds), readConfig(news)];
  if (before.clusterIdentifier || after.clusterIdentifier)
    return before.clusterIdentifier === after.clusterIdentifier ? [] : ["clusterIdentifier"];
  if (before.kubeconfig === after.kubeconfig && before.context === after.context) return [];
  const [from, to] = [identity(before), identity(after)];
  if (from === undefined || to === undefined || from === to) return [];
  return before.kubeconfig === after.kubeconfig ? ["context"] : ["kubeconfig"];
}

function identity({ kubeconfig, context }: Config): string | undefined {
  try {
    return loadAccess(kubeconfig, context).identity;
  } catch {
    return undefined; // no cluster to compare with
  }
}
