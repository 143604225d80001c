import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { UserError } from "../../../error.ts";
import type { Target } from "../../spec.ts";
import type { Address, Tls } from "./protocol.ts";

/**
 * Reads the PEM files of a target.
 *
 * @returns undefined if the target has no `tls`
 * @throws UserError if a file cannot be read or is not what it should be, or if a certificate comes without its key
 */
export function readTls(target: Target): Tls | undefined {
  if (!target.tls) return undefined;
  const { caFile, certFile, keyFile, serverName } = target.tls;
  if (!certFile !== !keyFile)
    throw new UserError(
      `tls.${certFile ? "certFile" : "keyFile"} is given without tls.${certFile ? "keyFile" : "certFile"}: mutual TLS needs both.`,
    );
  const result = {
    ca: read("caFile", caFile),
    cert: read("certFile", certFile),
    key: read("keyFile", keyFile),
    serverName: serverName ?? nameOf(target.authority) ?? nameOf(target.host),
  };
  try {
    tls.createSecureContext(result);
  } catch (error) {
    const files = [caFile, certFile, keyFile].filter(Boolean).join(", ");
    throw new UserError(
      `The TLS files ${files} cannot be used together: ${(error as Error).message}.`,
      "caFile and certFile hold PEM certificates, keyFile the PEM private key of the one in certFile.",
    );
  }
  return result;
}

function read(key: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    throw new UserError(`Cannot read tls.${key}: ${(error as Error).message}.`);
  }
  if (!text.includes("-----BEGIN ")) throw new UserError(`tls.${key}: ${file} is not a PEM file.`);
  return text;
}

/** The name in `host:port` or in the first of several hosts, if it is a name: an address is no SNI. */
function nameOf(host: string | undefined): string | undefined {
  const name = host?.replace(/(:\d+)?\s*(,.*)?$/, "").trim();
  return name && !net.isIP(name) ? name : undefined;
}

export type Alpn = "h2" | "http/1.1";

/** An open connection to a server. */
export interface Link {
  /** Where bytes go in and come out: the TCP socket, or TLS over it. */
  readonly socket: net.Socket;
  /** The TCP socket, whose counters see what goes over the wire. */
  readonly raw: net.Socket;
}

/** One more connection; not open yet. Its TLS handshake, if any, is done when `ready` resolves. */
export function dial(address: Address, alpn: Alpn, security: Tls | undefined): Link {
  const raw = net.connect({ host: address.ip, port: address.port, noDelay: true });
  if (!security) return { socket: raw, raw };
  const { serverName, ...files } = security;
  const socket = tls.connect({
    ...files,
    socket: raw,
    host: address.ip, // what the certificate must have if no name is known
    servername: serverName ?? "",
    ALPNProtocols: [alpn],
  });
  socket.setNoDelay(true);
  return { socket, raw };
}

/**
 * Resolves when bytes can be sent; destroys the socket and rejects with one sentence (`explain`) when that fails or takes
 * longer than `timeoutMs`.
 */
export function ready({ socket, raw }: Link, alpn: Alpn, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const secure = socket instanceof tls.TLSSocket;
    const fail = (error: Error) => {
      clearTimeout(late);
      socket.destroy();
      raw.destroy();
      reject(explain(error));
    };
    const late = setTimeout(
      () => fail(failure("ETIMEDOUT", `no ${secure ? "TLS handshake" : "connection"} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.once("error", fail);
    raw.once("error", fail);
    socket.once("close", () => fail(failure("ECONNRESET", "the server closed the connection")));
    socket.once(secure ? "secureConnect" : "connect", () => {
      // A server that does not know ALPN says nothing about it.
      if (secure && socket.alpnProtocol && socket.alpnProtocol !== alpn)
        return fail(failure("ERR_TLS_ALPN", `the server chose ${socket.alpnProtocol} instead of ${alpn}`));
      clearTimeout(late);
      socket.removeListener("error", fail);
      resolve();
    });
  });
}

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });

const plainServer = "the server does not speak TLS on this port; leave `tls` away";
const wantsCertificate =
  "the server wants a client certificate; give it with `tls.certFile` and `tls.keyFile`, signed by an authority the server trusts";
const notTrusted =
  "the server's certificate is signed by nobody that is trusted here; give its authority with `tls.caFile`";

const otherVersion = "the server speaks another version of TLS only";
const notAccepted = "the server does not accept the client certificate in `tls.certFile`";
const notItsAuthority = "the server does not trust the authority of the client certificate in `tls.certFile`";

/** What a server means that ends TLS with an alert, by the number of it (RFC 8446, section 6). */
const alerts: Readonly<Record<string, string>> = {
  40: wantsCertificate,
  42: notAccepted,
  43: notAccepted,
  44: notAccepted,
  45: notAccepted,
  46: notAccepted,
  48: notItsAuthority,
  51: notItsAuthority,
  70: otherVersion,
  112: "the server does not know the name it was asked for; set `tls.serverName`",
  116: wantsCertificate,
  120: "the server speaks TLS, but not the protocol that was asked for in it",
};

/** What an error code of a socket means for the user. */
const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the server closed the connection",
  EPIPE: "the server closed the connection",
  EHOSTUNREACH: "no route leads there",
  ENETUNREACH: "no route leads there",
  DEPTH_ZERO_SELF_SIGNED_CERT:
    "the server's certificate is self-signed; give it with `tls.caFile` if it is to be trusted",
  SELF_SIGNED_CERT_IN_CHAIN: notTrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: notTrusted,
  UNABLE_TO_GET_ISSUER_CERT: notTrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: notTrusted,
  CERT_SIGNATURE_FAILURE: "the server's certificate is signed by another authority than the one in `tls.caFile`",
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet",
  EPROTO: plainServer,
  ERR_SSL_WRONG_VERSION_NUMBER: plainServer,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: plainServer,
  ERR_SSL_RECORD_LAYER_FAILURE: plainServer,
  ERR_SSL_UNSUPPORTED_PROTOCOL: otherVersion,
};

/** The same error with a message in the user's terms, without the server's address. The code stays. */
export function explain(error: Error): Error {
  const { code, reason } = error as NodeJS.ErrnoException & { reason?: string };
  const alert = /SSL alert number (\d+)/.exec(error.message)?.[1];
  const said =
    code === "ERR_TLS_CERT_ALTNAME_INVALID"
      ? wrongName(reason ?? error.message)
      : ((alert && alerts[alert]) ?? meanings[code ?? ""]);
  const text = said ? `${said} (${code})` : error.message.trim() || "the connection was lost";
  return Object.assign(new Error(text), { code });
}

const wrongName = (reason: string): string =>
  `the server's certificate is for another name: ${reason.replace(/\.$/, "")}; set \`tls.serverName\` to a name it has`;
