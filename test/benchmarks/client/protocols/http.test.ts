import http from "node:http";
import type net from "node:net";
import { afterEach, expect, test } from "vitest";
import { connect, rawServer, refusal, send, targetOf, tensor } from "./exchange.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const json = JSON.stringify({ outputs: [{ name: "prob", datatype: "FP32", shape: [1, 2], data: [0.1, 0.9] }] });

type Handler = (response: http.ServerResponse, request: http.IncomingMessage, body: Buffer, n: number) => void;

async function server(handler: Handler, port = 0) {
  let requests = 0;
  let connections = 0;
  const created = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => handler(response, request, Buffer.concat(chunks), ++requests));
  });
  created.on("connection", () => connections++);
  await new Promise<void>((resolve) => created.listen(port, "127.0.0.1", resolve));
  const stop = () => {
    created.close();
    created.closeAllConnections();
  };
  stops.push(stop);
  return { port: (created.address() as net.AddressInfo).port, connections: () => connections, stop };
}

async function raw(talk: (socket: net.Socket) => void): Promise<number> {
  const { port, stop } = await rawServer(talk);
  stops.push(stop);
  return port;
}

const rest = (port: number) => targetOf("v2-rest", port);

test("requests keep to one connection and name what they were asked to", async () => {
  const seen: { url?: string; headers: http.IncomingHttpHeaders }[] = [];
  const { port, connections } = await server((response, { url, headers }) => {
    seen.push({ url, headers });
    response.end(json);
  });
  const more = {
    pathPrefix: "/seldon/ns/name/",
    authority: "model.example",
    headers: { Seldon: "name" },
    model: "a b",
  };
  const { protocol, connection } = await connect({ ...rest(port), ...more });
  const message = protocol.encode([tensor(1, 2)]);
  for (let i = 0; i < 5; i++) expect(protocol.answers((await send(connection, message)).reply!, 1)).toEqual([1]);
  expect(connections()).toBe(1);
  expect(seen[0]).toMatchObject({
    url: "/seldon/ns/name/v2/models/a%20b/infer",
    headers: { host: "model.example", seldon: "name", "content-type": "application/json" },
  });
  expect(connection.bytes()).toMatchObject({ bodySent: 5 * message.body.length, bodyReceived: 5 * json.length });
  connection.close();
});

test("requests that come while another is under way wait for their turn", async () => {
  let open = 0;
  let most = 0;
  const { port } = await server((response, _request, _body, n) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      response.writeHead(500);
      response.end(String(n));
    }, 5);
  });
  const { protocol, connection } = await connect(rest(port));
  const message = protocol.encode([tensor(1, 2)]);
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => send(connection, message)));
  expect(most).toBe(1);
  expect(outcomes.map((outcome) => "detail" in outcome && outcome.detail)).toEqual(
    outcomes.map((_, i) => String(i + 1)),
  );
  connection.close();
});

test("every way a server can fail is counted under its own kind, and the connection goes on", async () => {
  const ways: Handler[] = [
    (response) => response.writeHead(400).end('{"error":"unexpected shape"}'),
    (response) => response.writeHead(503).end('{"status":{"info":"no room"}}'),
    (response) => response.writeHead(502).end("<html><style>a{}</style>bad\n<b>gateway</b></html>"),
    (response) => response.destroy(),
    (response) => response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy()),
    (response) => response.writeHead(302, { location: "/elsewhere" }).end(),
    (response) => response.end(Buffer.alloc(2000)),
    () => {},
    (response) => response.socket!.end("what?\r\n\r\n"),
    (response) => response.end(json),
  ];
  const { port } = await server((response, request, body, n) => ways[n - 1]!(response, request, body, n));
  const { protocol, connection } = await connect(rest(port), { timeoutMs: 1500, maxReplyBytes: 1000 });
  const message = protocol.encode([tensor(1, 2)]);
  const kinds: string[] = [];
  for (const _ of ways) {
    const outcome = await send(connection, message);
    kinds.push(outcome.reply ? "answer" : `${outcome.kind}: ${outcome.detail}`);
  }
  connection.close();
  expect(kinds).toEqual([
    "http 400: unexpected shape",
    "http 503: no room",
    "http 502: bad gateway",
    "connection lost: the server closed the connection",
    "connection lost: the server closed the connection",
    "http 302: ",
    "reply too large: more than 1000 bytes",
    "timeout: no complete reply within 1500 ms",
    expect.stringMatching(/^malformed reply: the reply is not HTTP\/1.1 /),
    "answer",
  ]);
});

test("a request whose time is over before its turn comes is never sent", async () => {
  let requests = 0;
  const { port } = await server((response, _request, _body, n) => {
    requests = n;
    if (n > 1) response.end(json);
  });
  const { protocol, connection } = await connect(rest(port), { timeoutMs: 600 });
  const message = protocol.encode([tensor(1, 2)]);
  const outcomes = await Promise.all([send(connection, message), send(connection, message)]);
  for (const outcome of outcomes) expect(outcome).toMatchObject({ kind: "timeout" });
  expect((await send(connection, message)).reply).toBeDefined();
  expect(requests).toBe(2);
  connection.close();
});

test("a server that is gone is refused, and used again when it is back", async () => {
  const gone = await server((response) => response.end(json));
  const { protocol, connection } = await connect(rest(gone.port));
  const message = protocol.encode([tensor(1, 2)]);
  expect((await send(connection, message)).reply).toBeDefined();
  gone.stop();
  await expect
    .poll(async () => (await send(connection, message)) as { kind?: string })
    .toMatchObject({
      kind: "connection ECONNREFUSED",
      detail: "nothing listens there (ECONNREFUSED)",
    });
  await server((response) => response.end(json), gone.port);
  expect((await send(connection, message)).reply).toBeDefined();
  connection.close();
});

test("a request may be sent from within the end of a failed one", async () => {
  const gone = await server((response) => response.end(json));
  const { protocol, connection } = await connect(rest(gone.port));
  const message = protocol.encode([tensor(1, 2)]);
  gone.stop();
  const kinds: string[] = [];
  await new Promise<void>((resolve) => {
    const next = () =>
      connection.send(message, (outcome) => {
        kinds.push(outcome.reply ? "answer" : outcome.kind);
        if (kinds.length === 10) resolve();
        else next();
      });
    next();
  });
  expect(kinds.slice(1)).toEqual(Array.from({ length: 9 }, () => "connection ECONNREFUSED"));
  connection.close();
});

test("closing fails what is under way, once, and what comes later", async () => {
  const { port } = await server(() => {});
  const { protocol, connection } = await connect(rest(port));
  const message = protocol.encode([tensor(1, 2)]);
  const hanging = send(connection, message);
  connection.close();
  expect(await hanging).toMatchObject({ kind: "connection lost" });
  expect(await send(connection, message)).toMatchObject({ kind: expect.stringMatching(/^connection /) });
});

test("bytes on the wire are those of the socket, before and after it is closed", async () => {
  let received = 0;
  const reply = `HTTP/1.1 200 OK\r\ncontent-length: ${json.length}\r\n\r\n${json}`;
  const port = await raw((socket) => {
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (chunk.includes("]}]") || chunk.includes('"outputs":')) socket.write(reply);
    });
  });
  const { protocol, connection } = await connect(rest(port));
  const message = protocol.encode([tensor(1, 2)]);
  for (let i = 0; i < 10; i++) await send(connection, message);
  expect(connection.bytes()).toMatchObject({ sent: received, received: 10 * reply.length });
  const before = connection.bytes();
  connection.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(connection.bytes()).toEqual(before);
});

test("a server that is down is one sentence", async () => {
  const port = await raw(() => {});
  stops.pop()!();
  expect(await refusal(rest(port))).toBe("nothing listens there (ECONNREFUSED)");
});
