import { validateHeaderName, validateHeaderValue } from "node:http";
import { UserError } from "../../../error.ts";
import type { ProtocolName, Target, TlsFiles } from "../../spec.ts";
import { guideDefaults } from "./defaults.ts";
import { written } from "./load.ts";

/** Flags that say which server, and how to talk to it; undefined where not given. */
export interface TargetFlags {
  url?: string;
  host?: string;
  port?: number;
  ingress?: string;
  protocol?: ProtocolName;
  model?: string;
  input?: string;
  outputTensor?: string;
  signature?: string;
  pathPrefix?: string;
  header?: readonly string[];
  authority?: string;
  tls?: boolean;
  caFile?: string;
  certsFile?: string;
  certFile?: string;
  keyFile?: string;
  serverName?: string;
  deployment?: string;
  namespace?: string;
}

/** The guide's client speaks Seldon's gRPC; everything else the Open Inference Protocol, unless --protocol says otherwise. */
export const protocolOf = ({ protocol, ingress, deployment, namespace }: TargetFlags): ProtocolName =>
  protocol ?? (ingress || deployment || namespace ? "seldon-grpc" : "v2-grpc");

/**
 * The server that the flags name.
 *
 * @throws UserError if they contradict each other, or leave out what the protocol needs
 */
export function parseTarget(flags: TargetFlags): Target {
  const protocol = protocolOf(flags);
  const { host, port, secure, path } = serverOf(flags);
  const seldon = seldonOf(flags, protocol);
  const model = flags.model ?? seldon?.deployment ?? (protocol.startsWith("seldon-") ? "" : undefined);
  if (model === undefined)
    throw new UserError(`Which model? ${protocol} needs --model, the name it has on the server.`);
  if (flags.signature !== undefined && !protocol.startsWith("tfs-"))
    throw new UserError(
      `${written(flags, "signature")} belongs to TensorFlow Serving, but the protocol is ${protocol}. Leave it out, or use --protocol tfs-grpc or tfs-rest.`,
    );
  const pathPrefix = prefixOf(flags, protocol, path, seldon);
  const tls = tlsOf(flags, secure);
  const headers = {
    ...(protocol === "seldon-grpc" && seldon && { seldon: seldon.deployment, namespace: seldon.namespace }),
    ...parseHeaders(flags.header ?? []),
  };
  return {
    protocol,
    host,
    port,
    model,
    input: flags.input ?? "data",
    output: flags.outputTensor ?? "prob",
    ...(flags.signature !== undefined && { signature: flags.signature }),
    ...(pathPrefix !== undefined && { pathPrefix }),
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(flags.authority !== undefined && { authority: flags.authority }),
    ...(tls && { tls }),
  };
}

interface Server {
  readonly host: string;
  readonly port: number;
  /** What a URL says of TLS; undefined if it was not given as one. */
  readonly secure?: boolean;
  readonly path?: string;
}

function serverOf(flags: TargetFlags): Server {
  const { url, host, port, ingress } = flags;
  const ways = [
    url && written(flags, "url"),
    (host || port) && "--host and --port",
    ingress && written(flags, "ingress"),
  ];
  const [first, second] = ways.filter(Boolean);
  if (second) throw new UserError(`${first} and ${second} both name a server. Give one of them.`);
  if (url) return parseUrl(url);
  if (ingress) return parseIngress(ingress);
  if (!host || !port)
    throw new UserError("Which server? Give --url, or --host and --port, or the guide's --ingress HOST:PORT.");
  return { host, port };
}

function parseUrl(url: string): Server {
  if (!/^[a-z]+:\/\//i.test(url) || !URL.canParse(url))
    throw new UserError(`--url ${url} is not a URL; an example is http://127.0.0.1:8001.`);
  const { protocol, hostname, port, pathname, search, hash, username } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:")
    throw new UserError(
      `--url ${url} begins with ${protocol}//; it must be http:// or https:// (for gRPC too), with --protocol for what is spoken.`,
    );
  if (search || hash || username)
    throw new UserError(
      `--url ${url} may have a host, a port and a path, and nothing else. Put credentials in a --header.`,
    );
  const path = pathname.replace(/\/+$/, "");
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (protocol === "https:" ? 443 : 80)),
    secure: protocol === "https:",
    ...(path && { path }),
  };
}

function parseIngress(ingress: string): Server {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(ingress) ?? [];
  const number = Number(port);
  if (!port || number < 1 || number > 65_535)
    throw new UserError(
      `--ingress ${ingress} is not HOST:PORT with a port from 1 to 65535; an example is 10.54.8.228:31380.`,
    );
  return { host: bracketed ?? plain!, port: number };
}

interface SeldonNames {
  readonly deployment: string;
  readonly namespace: string;
}

function seldonOf(flags: TargetFlags, protocol: ProtocolName): SeldonNames | undefined {
  const { deployment, namespace, ingress } = flags;
  if (!protocol.startsWith("seldon-")) {
    const foreign = (["deployment", "namespace"] as const).find((key) => flags[key] !== undefined);
    if (foreign)
      throw new UserError(
        `${written(flags, foreign)} belongs to Seldon, but the protocol is ${protocol}. Leave it out, or use --protocol seldon-grpc or seldon-rest.`,
      );
    return undefined;
  }
  if (!deployment && !namespace && !ingress) return undefined;
  return {
    deployment: deployment ?? guideDefaults.deployment,
    namespace: namespace ?? guideDefaults.namespace,
  };
}

function prefixOf(
  flags: TargetFlags,
  protocol: ProtocolName,
  path: string | undefined,
  seldon: SeldonNames | undefined,
): string | undefined {
  if (path && flags.pathPrefix !== undefined)
    throw new UserError(
      `--url ${flags.url} has a path, and so has ${written(flags, "pathPrefix")}. Leave one of them out.`,
    );
  const prefix = path ?? flags.pathPrefix;
  if (prefix !== undefined && protocol.endsWith("-grpc"))
    throw new UserError(
      `The path ${prefix} has no meaning in gRPC (${protocol}), where the method is the path. Leave it out, or use a REST protocol.`,
    );
  if (prefix !== undefined && !/^\/[!-~]*$/.test(prefix))
    throw new UserError(`${written(flags, "pathPrefix")} must begin with / and have no spaces, such as /v1/serving.`);
  if (prefix === undefined && protocol === "seldon-rest" && seldon)
    return `/seldon/${seldon.namespace}/${seldon.deployment}`;
  return prefix?.replace(/\/+$/, "") || undefined;
}

function tlsOf(flags: TargetFlags, secure: boolean | undefined): TlsFiles | undefined {
  const { caFile, certsFile, certFile, keyFile, serverName } = flags;
  if (caFile !== undefined && certsFile !== undefined)
    throw new UserError(
      `${written(flags, "caFile")} and ${written(flags, "certsFile")} mean the same. Give one of them.`,
    );
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new UserError(
      `${written(flags, certFile ? "certFile" : "keyFile")} needs ${certFile ? "--key-file" : "--cert-file"} beside it: mutual TLS takes a certificate and its key.`,
    );
  const asking = (["caFile", "certsFile", "certFile", "serverName"] as const).find((key) => flags[key] !== undefined);
  if (secure === false && (asking || flags.tls))
    throw new UserError(
      `--url ${flags.url} is plain text, but ${asking ? written(flags, asking) : "--tls"} asks for TLS. Use https://, or leave it out.`,
    );
  if (!secure && !asking && !flags.tls) return undefined;
  const ca = caFile ?? certsFile;
  return {
    ...(ca !== undefined && { caFile: ca }),
    ...(certFile !== undefined && { certFile, keyFile }),
    ...(serverName !== undefined && { serverName }),
  };
}

/** Those that the client sets itself. */
const reserved = /^(host|connection|content-length|content-type|te|transfer-encoding|grpc-.*)$/;

function parseHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf("=");
    const name = line.slice(0, at).trim().toLowerCase();
    const value = line.slice(at + 1).trim();
    if (at < 1) throw new UserError(`--header ${line} is not NAME=VALUE; an example is --header seldon=my-deployment.`);
    if (reserved.test(name))
      throw new UserError(
        `--header ${line}: "${name}" is set by the client itself. ${name === "host" ? "Use --authority for another host name." : "Leave it out."}`,
      );
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw new UserError(
        `--header ${line} is not a header: its name or value has characters that HTTP does not allow.`,
      );
    }
    if (name in headers)
      throw new UserError(`--header ${line}: there is a value for "${name}" already. Give one of them.`);
    headers[name] = value;
  }
  return headers;
}
