import { existsSync, readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { load } from "js-yaml";

/** One cluster as one user sees it. */
export interface Access {
  readonly server: URL;
  /** The namespace of the context, if it names one. */
  readonly namespace?: string;
  /** What identifies the cluster itself, whoever asks: the address and the authority it is signed by. */
  readonly identity: string;
  /** Certificates, keys and headers, ready for `https.request`. */
  credentials(): Promise<RequestOptions>;
}

interface Named<K extends string> {
  name: string;
  [key: string]: unknown;
  kind?: K;
}
interface Kubeconfig {
  "current-context"?: string;
  clusters?: (Named<"cluster"> & { cluster: Record<string, unknown> })[];
  users?: (Named<"user"> & { user: Record<string, unknown> })[];
  contexts?: (Named<"context"> & { context: { cluster: string; user: string; namespace?: string } })[];
}

/**
 * Reads a kubeconfig.
 *
 * @param source a file, or the text of one; by default what `KUBECONFIG` names, then `~/.kube/config`
 * @param context by default the current one
 * @throws Error saying what is missing, in the user's terms
 */
export function loadAccess(source: string | undefined, context: string | undefined): Access {
  const { text, folder, from } = find(source);
  const config = (load(text) ?? {}) as Kubeconfig;
  const name = context || config["current-context"];
  const chosen = config.contexts?.find((c) => c.name === name)?.context;
  if (!chosen) {
    const known = config.contexts?.map((c) => c.name).join(", ") || "none";
    throw new Error(
      name
        ? `${from} has no context "${name}"; it has: ${known}`
        : `${from} names no current context; it has: ${known}`,
    );
  }
  const cluster = config.clusters?.find((c) => c.name === chosen.cluster)?.cluster;
  if (!cluster?.server) throw new Error(`${from} has no cluster "${chosen.cluster}", which context "${name}" needs`);
  const user = config.users?.find((u) => u.name === chosen.user)?.user ?? {};
  const authority = pem(cluster, "certificate-authority", folder);
  return {
    server: new URL(String(cluster.server)),
    namespace: chosen.namespace,
    identity: JSON.stringify([cluster.server, authority?.toString("base64") ?? null]),
    async credentials() {
      if (user.exec || user["auth-provider"]) return external(text, String(name));
      const token = user.tokenFile ? readFileSync(resolve(folder, String(user.tokenFile)), "utf8").trim() : user.token;
      const basic = user.username
        ? Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64")
        : undefined;
      return {
        ca: authority,
        cert: pem(user, "client-certificate", folder),
        key: pem(user, "client-key", folder),
        rejectUnauthorized: cluster["insecure-skip-tls-verify"] !== true,
        servername: cluster["tls-server-name"] as string | undefined,
        headers: token ? { authorization: `Bearer ${token}` } : basic ? { authorization: `Basic ${basic}` } : {},
      };
    },
  };
}

function find(source: string | undefined): { text: string; folder: string; from: string } {
  if (source && /[\n{]/.test(source))
    return { text: source, folder: process.cwd(), from: "the kubeconfig given as text" };
  const home = (path: string) => path.replace(/^~(?=\/|$)/, homedir());
  const candidates = source
    ? [home(source)]
    : (process.env.KUBECONFIG?.split(delimiter).filter(Boolean) ?? [join(homedir(), ".kube", "config")]);
  const path = candidates.find((candidate) => existsSync(candidate));
  if (!path) throw new Error(`there is no kubeconfig at ${candidates.join(" or ")}`);
  return { text: readFileSync(path, "utf8"), folder: dirname(resolve(path)), from: path };
}

function pem(from: Record<string, unknown>, field: string, folder: string): Buffer | undefined {
  const data = from[`${field}-data`];
  if (data) return Buffer.from(String(data), "base64");
  return from[field] ? readFileSync(resolve(folder, String(from[field]))) : undefined;
}

/** Log-in helpers of clouds: the client library knows them all, and is only worth its half second of loading then. */
async function external(text: string, context: string): Promise<RequestOptions> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  config.loadFromString(text);
  config.setCurrentContext(context);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options as Parameters<typeof config.applyToHTTPSOptions>[0]);
  return options;
}
