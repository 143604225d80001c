import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import type tls from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { readTls } from "../../../../benchmarks/client/protocols/tls.ts";
import type { Target } from "../../../../benchmarks/spec.ts";
import { Authority } from "./certificates.ts";
import { ask, connect, rawServer, refusal, send, targetOf, tensor } from "./exchange.ts";

const authority = new Authority();
const other = new Authority();
const server = authority.issue("server", { name: "model.test" });
const expired = authority.issue("expired", { name: "model.test", days: -1 });
const selfSigned = authority.selfSigned("self", "model.test");
const client = authority.issue("client");
const stranger = other.issue("stranger");

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** What the server saw of a connection and of a request in it. */
interface Seen {
  alpn?: string | false | null;
  serverName?: string | false;
  client?: string;
  host?: string;
  headers?: http.IncomingHttpHeaders;
}

/** A server of a protocol that answers each request with an error `seen`, which is enough to know that it came. */
async function listen(
  protocol: "v2-grpc" | "v2-rest",
  options: tls.TlsOptions | undefined,
): Promise<{ port: number; seen: Seen }> {
  const seen: Seen = {};
  let created: net.Server;
  const onSession = (socket: tls.TLSSocket) => {
    seen.alpn = socket.alpnProtocol;
    seen.serverName = (socket as { servername?: string | false }).servername;
    seen.client = socket.getPeerCertificate?.()?.subject?.CN as string | undefined;
  };
  if (protocol === "v2-grpc") {
    const h2 = options ? http2.createSecureServer({ ...options, ALPNProtocols: ["h2"] }) : http2.createServer();
    h2.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      seen.host = headers[":authority"];
      seen.headers = headers;
      stream.respond({ ":status": 200, "grpc-status": "5", "grpc-message": "seen" }, { endStream: true });
    });
    h2.on("sessionError", () => {});
    created = h2 as unknown as net.Server;
  } else {
    const answer = (request: http.IncomingMessage, response: http.ServerResponse) => {
      seen.host = request.headers.host;
      seen.headers = request.headers;
      request.resume();
      response.writeHead(404);
      response.end('{"error":"seen"}');
    };
    created = options
      ? https.createServer({ ...options, ALPNProtocols: ["http/1.1"] }, answer)
      : http.createServer(answer);
  }
  const sockets = new Set<net.Socket>();
  created.on("connection", (socket: net.Socket) => sockets.add(socket.on("error", () => {})));
  created.on("secureConnection", onSession);
  created.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => created.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    created.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (created.address() as net.AddressInfo).port, seen };
}

describe.each([
  ["v2-grpc", "grpc NOT_FOUND: seen", "h2"],
  ["v2-rest", "http 404: seen", "http/1.1"],
] as const)("%s", (protocol, reached, alpn) => {
  const to = (port: number, tls: Target["tls"], more: Partial<Target> = {}) =>
    targetOf(protocol, port, { ...more, tls });
  const trusting = { caFile: authority.caFile, serverName: "model.test" };
  const { cert, key } = server;

  /** The failure, whether it shows when connecting or, as the end of TLS 1.3's handshake may, at the first request. */
  const failure = async (target: Target) => {
    const refused = await refusal(target);
    return refused === "connected" ? ask(target) : refused;
  };

  test("a server whose authority is given is trusted; name, protocol and headers come as asked for", async () => {
    const { port, seen } = await listen(protocol, { cert, key });
    const more = { authority: "other.example", headers: { Seldon: "deployment" } };
    expect(await ask(to(port, trusting, more))).toBe(reached);
    expect(seen).toMatchObject({
      alpn,
      serverName: "model.test",
      host: "other.example",
      headers: { seldon: "deployment" },
    });
  });

  test("the authority is the name that is asked for if there is no other", async () => {
    const { port, seen } = await listen(protocol, { cert, key });
    expect(await ask(to(port, { caFile: authority.caFile }, { authority: "model.test:8443" }))).toBe(reached);
    expect(seen).toMatchObject({ serverName: "model.test", host: "model.test:8443" });
  });

  test("mutual TLS shows the client's certificate", async () => {
    const { port, seen } = await listen(protocol, { cert, key, ca: authority.ca, requestCert: true });
    expect(await ask(to(port, { ...trusting, certFile: client.certFile, keyFile: client.keyFile }))).toBe(reached);
    expect(seen.client).toBe("client");
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("%s: a server that wants a certificate says so", async (version) => {
    const demanding = { cert, key, ca: authority.ca, requestCert: true, rejectUnauthorized: true };
    const { port } = await listen(protocol, { ...demanding, minVersion: version, maxVersion: version });
    expect(await failure(to(port, trusting))).toContain(
      "the server wants a client certificate; give it with `tls.certFile`",
    );
    expect(await failure(to(port, { ...trusting, certFile: stranger.certFile, keyFile: stranger.keyFile }))).toMatch(
      /the server (does not trust the authority of|does not accept) the client certificate|the server closed the connection/,
    );
  });

  test("what is wrong with the server's certificate is one sentence", async () => {
    const { port } = await listen(protocol, { cert, key });
    expect(await refusal(to(port, { caFile: other.caFile, serverName: "model.test" }))).toMatch(
      /^the server's certificate is signed by /,
    );
    expect(await refusal(to(port, { serverName: "model.test" }))).toContain(
      "signed by nobody that is trusted here; give its authority with `tls.caFile`",
    );
    expect(await refusal(to(port, { caFile: authority.caFile, serverName: "wrong.test" }))).toMatch(
      /certificate is for another name: .*wrong\.test.*DNS:model\.test.*set `tls.serverName`/,
    );
    expect(await refusal(to(port, { caFile: authority.caFile }))).toMatch(
      /certificate is for another name: .*127\.0\.0\.1.*set `tls.serverName`/,
    );
    const old = await listen(protocol, { cert: expired.cert, key: expired.key });
    expect(await refusal(to(old.port, trusting))).toBe("the server's certificate has expired (CERT_HAS_EXPIRED)");
    const self = await listen(protocol, { cert: selfSigned.cert, key: selfSigned.key });
    expect(await refusal(to(self.port, trusting))).toContain("the server's certificate is self-signed");
    expect(await ask(to(self.port, { caFile: selfSigned.certFile, serverName: "model.test" }))).toBe(reached);
  });

  test("a plain server where TLS is expected, and the reverse", async () => {
    const plain = await listen(protocol, undefined);
    expect(await refusal(to(plain.port, trusting))).toContain("the server does not speak TLS on this port");
    const secure = await listen(protocol, { cert, key });
    expect(await failure(to(secure.port, undefined))).toMatch(
      /the server speaks TLS; set `tls` in the target|or it needs `tls`|the server closed the connection/,
    );
  });

  test("a server that never finishes the handshake is given up in time", async () => {
    const { port, stop } = await rawServer(() => {});
    stops.push(stop);
    expect(await refusal(to(port, trusting), { timeoutMs: 200 })).toBe("no TLS handshake within 200 ms");
  });

  test("the encrypted bytes are what is counted on the wire", async () => {
    const { port } = await listen(protocol, { cert, key });
    let up = 0;
    let down = 0;
    const tunnel = await rawServer((socket) => {
      const onward = net.connect(port, "127.0.0.1").on("error", () => {});
      socket.on("data", (chunk) => {
        up += chunk.length;
        onward.write(chunk);
      });
      onward.on("data", (chunk) => {
        down += chunk.length;
        socket.write(chunk);
      });
      socket.on("close", () => onward.destroy());
    });
    stops.push(tunnel.stop);
    const { protocol: spoken, connection } = await connect(to(tunnel.port, trusting));
    const message = spoken.encode([tensor(...Array.from({ length: 5000 }, () => 0.5))]);
    for (let i = 0; i < 5; i++) await send(connection, message);
    const { sent, received, bodySent } = connection.bytes();
    expect(bodySent).toBe(5 * message.body.length);
    expect(sent).toBeGreaterThan(bodySent);
    await expect.poll(() => up).toBe(sent);
    expect(down).toBe(received);
    connection.close();
    await expect.poll(() => connection.bytes().sent).toBeGreaterThanOrEqual(sent);
  });
});

test("gRPC over TLS to a server that chooses another protocol", async () => {
  const { port } = await listen("v2-rest", { cert: server.cert, key: server.key });
  const target = targetOf("v2-grpc", port, { tls: { caFile: authority.caFile, serverName: "model.test" } });
  expect(await refusal(target)).toMatch(/the server speaks TLS, but not the protocol|chose http\/1.1 instead of h2/);
});

test("files that cannot be used are said by their key", () => {
  const read = (tls: Target["tls"]) => () => readTls(targetOf("v2-grpc", 1, { tls }));
  expect(read({ caFile: "/nowhere/ca.crt" })).toThrow(/Cannot read tls.caFile: ENOENT.*\/nowhere\/ca.crt/);
  expect(read({ caFile: import.meta.filename.replace("tls.test", "replies") })).toThrow(
    /tls.caFile: .* is not a PEM file/,
  );
  expect(read({ certFile: client.certFile })).toThrow(
    "tls.certFile is given without tls.keyFile: mutual TLS needs both.",
  );
  expect(read({ keyFile: client.keyFile })).toThrow("tls.keyFile is given without tls.certFile");
  expect(read({ certFile: client.certFile, keyFile: server.keyFile })).toThrow(
    /cannot be used together: .*key values mismatch/,
  );
  expect(readTls(targetOf("v2-grpc", 1))).toBeUndefined();
});

test("the name to ask for is the given one, else the authority's, else the host's; an address is none", () => {
  const nameFor = (more: Partial<Target>) => readTls(targetOf("v2-grpc", 1, { tls: {}, ...more }))!.serverName;
  expect(nameFor({ host: "a.test,b.test", authority: "c.test:1", tls: { serverName: "d.test" } })).toBe("d.test");
  expect(nameFor({ host: "a.test,b.test", authority: "c.test:1" })).toBe("c.test");
  expect(nameFor({ host: "a.test,b.test" })).toBe("a.test");
  expect(nameFor({ host: "10.0.0.1" })).toBeUndefined();
});
