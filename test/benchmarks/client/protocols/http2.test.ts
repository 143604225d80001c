import http2 from "node:http2";
import net from "node:net";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { encodeRequestHeaders, HeaderDecoder } from "../../../../benchmarks/client/protocols/hpack.ts";
import { connect, framed, rawServer, refusal, send, targetOf, tensor } from "./exchange.ts";

// The servers are Node's own HTTP/2, which shares no code with the client's.

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** "prob" of FP32 [0.1, 0.9], raw. */
const reply = framed(
  Buffer.concat([
    Buffer.from([0x2a, 12, 0x0a, 4, ...Buffer.from("prob"), 0x12, 4, ...Buffer.from("FP32")]),
    Buffer.from([0x32, 8]),
    Buffer.from(new Float32Array([0.1, 0.9]).buffer),
  ]),
);

type Handler = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, body: Buffer, n: number) => void;

function answer(stream: http2.ServerHttp2Stream, headers: http2.OutgoingHttpHeaders = {}): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(reply);
}

async function server(handler: Handler, options: http2.ServerOptions = {}, port = 0) {
  const sessions = new Set<http2.ServerHttp2Session>();
  let requests = 0;
  const created = http2.createServer(options);
  created.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  created.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    const n = ++requests;
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => handler(stream, headers, Buffer.concat(chunks), n));
  });
  await new Promise<void>((resolve) => created.listen(port, "127.0.0.1", resolve));
  const stop = () => {
    created.close();
    for (const session of sessions) session.destroy();
  };
  stops.push(stop);
  return { port: (created.address() as net.AddressInfo).port, stop };
}

async function raw(talk: (socket: net.Socket) => void): Promise<number> {
  const { port, stop } = await rawServer(talk);
  stops.push(stop);
  return port;
}

/** Passes bytes on to a server and back, and counts. */
async function tunnel(to: number) {
  let accepted = 0;
  let open = 0;
  let received = 0;
  const port = await raw((socket) => {
    accepted++;
    open++;
    const up = net.connect(to, "127.0.0.1");
    socket.on("data", (chunk) => {
      received += chunk.length;
      up.write(chunk);
    });
    up.on("data", (chunk) => socket.write(chunk));
    up.on("error", () => {});
    up.on("close", () => socket.destroy());
    socket.on("close", () => {
      open--;
      up.destroy();
    });
  });
  return { port, accepted: () => accepted, open: () => open, received: () => received };
}

const grpc = (port: number) => targetOf("v2-grpc", port);

test("headers come to the server as they are meant, for the first request and the following", async () => {
  const seen: http2.IncomingHttpHeaders[] = [];
  const { port } = await server((stream, headers) => {
    seen.push(headers);
    answer(stream);
  });
  const target = {
    ...grpc(port),
    authority: "model.example:80",
    headers: { Seldon: "résumé", namespace: "x".repeat(300) },
  };
  const { protocol, connection } = await connect(target);
  const message = protocol.encode([tensor(1, 2)]);
  for (let i = 0; i < 3; i++) expect((await send(connection, message)).reply).toBeDefined();
  connection.close();
  const [first] = seen;
  expect(first).toMatchObject({
    ":method": "POST",
    ":scheme": "http",
    ":path": "/inference.GRPCInferenceService/ModelInfer",
    ":authority": "model.example:80",
    "content-type": "application/grpc",
    te: "trailers",
    seldon: "résumé",
    namespace: "x".repeat(300),
  });
  expect(seen[1]).toEqual(first);
  expect(seen[2]).toEqual(first);
});

test.each([0, 64, 128, 4096, 65536])(
  "a server whose header table has %i bytes understands every request",
  async (size) => {
    const seen: http2.IncomingHttpHeaders[] = [];
    const { port } = await server(
      (stream, headers) => {
        seen.push(headers);
        answer(stream);
      },
      { settings: { headerTableSize: size } },
    );
    const { protocol, connection } = await connect({ ...grpc(port), headers: { one: "1", two: "2" } });
    const message = protocol.encode([tensor(1, 2)]);
    for (let i = 0; i < 3; i++) expect((await send(connection, message)).reply).toBeDefined();
    connection.close();
    for (const headers of seen) expect(headers).toMatchObject({ one: "1", two: "2", te: "trailers" });
  },
);

test("after the first request the headers take few bytes", () => {
  const headers = [":method", "POST", ":path", "/p".repeat(50), "name", "value"];
  const { first, next } = encodeRequestHeaders(headers, 4096);
  const decoder = new HeaderDecoder();
  for (const block of [first, next, next]) expect(decoder.decode(block)).toEqual(headers);
  expect(next.length).toBe(3);
});

const token = fc.string({
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789-_"),
  minLength: 1,
  maxLength: 20,
});
const visible = fc.string({
  unit: fc
    .integer({ min: 0x21, max: 0xff })
    .filter((c) => c !== 0x7f)
    .map((c) => String.fromCharCode(c)),
  maxLength: 60,
});

test("any header of a reply is read as the server's library wrote it, compressed against those before", async () => {
  // A gRPC error: its text goes through the header, percent-encoded by us, and the others exercise the table.
  let next: { text: string; others: Record<string, string> } = { text: "", others: {} };
  const { port } = await server((stream) => {
    stream.respond(
      { ":status": 200, "grpc-status": "5", "grpc-message": encodeURIComponent(next.text), ...next.others },
      { endStream: true },
    );
  });
  const { protocol, connection } = await connect(grpc(port));
  const message = protocol.encode([tensor(1, 2)]);
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "binary", maxLength: 80 }),
      fc.dictionary(
        token.map((name) => `x-${name}`),
        visible,
        { maxKeys: 12 },
      ),
      async (text, others) => {
        next = { text: text.toWellFormed(), others };
        expect(await send(connection, message)).toMatchObject({ kind: "grpc NOT_FOUND", detail: next.text });
      },
    ),
    { numRuns: 300 },
  );
  connection.close();
});

test("header blocks of any bytes are read or refused with a sentence", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), (blocks) => {
      const decoder = new HeaderDecoder();
      try {
        for (const block of blocks) decoder.decode(Buffer.from(block));
      } catch (error) {
        expect((error as Error).message).toMatch(/^(a|too many) header/);
      }
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ["small windows", { settings: { initialWindowSize: 1000 } }],
  ["large frames", { settings: { maxFrameSize: 1 << 20, initialWindowSize: 4 << 20 } }],
  ["one request at a time", { settings: { maxConcurrentStreams: 1 } }],
])("bodies come whole and in order to a server of %s", async (_, options) => {
  const bodies: Buffer[] = [];
  const { port } = await server((stream, _headers, body) => {
    bodies.push(body);
    answer(stream);
  }, options);
  const { protocol, connection } = await connect(grpc(port));
  const inputs = [1, 2, 3].map((value) => tensor(...Array.from({ length: 50_000 }, (_, i) => i * value)));
  const messages = inputs.map((input) => protocol.encode([input]));
  const outcomes = await Promise.all(messages.map((message) => send(connection, message)));
  for (const { reply } of outcomes) expect(protocol.answers(reply!, 1)).toEqual([1]);
  expect(bodies).toHaveLength(3);
  for (const { body } of messages) expect(bodies.some((came) => came.equals(body))).toBe(true);
  const sum = messages.reduce((total, { body }) => total + body.length, 0);
  expect(connection.bytes()).toMatchObject({ bodySent: sum, bodyReceived: 3 * reply.length });
  connection.close();
});

test("many requests share the connection and each gets its own reply", async () => {
  const { port } = await server((stream, _headers, body) => {
    setTimeout(() => {
      stream.respond(
        { ":status": 200, "grpc-status": "2", "grpc-message": String(body.readFloatLE(body.length - 4)) },
        { endStream: true },
      );
    }, Math.random() * 20);
  });
  const { protocol, connection } = await connect(grpc(port));
  const outcomes = await Promise.all(
    Array.from({ length: 500 }, (_, i) => send(connection, protocol.encode([tensor(7, i)]))),
  );
  expect(outcomes.map((outcome) => "detail" in outcome && outcome.detail)).toEqual(outcomes.map((_, i) => String(i)));
  connection.close();
});

test("a reply of several megabytes comes whole; one above the limit is refused, and the connection goes on", async () => {
  const big = Buffer.alloc(3 << 20, 7);
  const { port } = await server((stream, _headers, _body, n) => {
    if (n === 2) return answer(stream);
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(big);
  });
  const { protocol, connection } = await connect(grpc(port), { maxReplyBytes: 1 << 20 });
  const message = protocol.encode([tensor(1, 2)]);
  expect(await send(connection, message)).toMatchObject({ kind: "reply too large", detail: "more than 1048576 bytes" });
  expect(protocol.answers((await send(connection, message)).reply!, 1)).toEqual([1]);
  connection.close();
  const generous = await connect(grpc(port), { maxReplyBytes: 4 << 20 });
  expect((await send(generous.connection, message)).reply).toEqual(big);
  generous.connection.close();
});

test("a reply that never comes is a timeout, in time, and the connection goes on", async () => {
  const { port } = await server((stream, _headers, _body, n) => {
    if (n > 2) answer(stream);
  });
  const { protocol, connection } = await connect(grpc(port), { timeoutMs: 500 });
  const message = protocol.encode([tensor(1, 2)]);
  const begin = performance.now();
  const outcomes = await Promise.all([send(connection, message), send(connection, message)]);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ kind: "timeout", detail: "no complete reply within 500 ms" });
    expect(outcome.at - begin).toBeGreaterThanOrEqual(499);
  }
  expect((await send(connection, message)).reply).toBeDefined();
  connection.close();
});

test("every way a server can fail is counted under its own kind", async () => {
  const { port } = await server((stream, _headers, _body, n) => {
    const ways = [
      () => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM),
      () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
      () => stream.respond({ ":status": 503 }, { endStream: true }),
      () => {
        stream.respond({ ":status": 200 });
        stream.end(reply);
      },
      () => {
        stream.respond({ ":status": 200 });
        stream.write(reply.subarray(0, 9));
        setTimeout(() => stream.session!.destroy(), 10);
      },
      () => stream.respond({ ":status": 200, "grpc-status": "14", "grpc-message": "no%20room" }, { endStream: true }),
      () => stream.session!.destroy(),
      () => answer(stream),
      () => stream.session!.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, 1, Buffer.from("too_many_pings")),
      () => answer(stream),
    ];
    ways[n - 1]!();
  });
  const { protocol, connection } = await connect(grpc(port), { timeoutMs: 3000 });
  const message = protocol.encode([tensor(1, 2)]);
  const kinds: string[] = [];
  for (let i = 0; i < 10; i++) {
    const outcome = await send(connection, message);
    kinds.push(outcome.reply ? "answer" : `${outcome.kind}: ${outcome.detail}`);
  }
  connection.close();
  expect(kinds).toEqual([
    "stream reset REFUSED_STREAM: the server gave the request up (RST_STREAM REFUSED_STREAM)",
    "stream reset INTERNAL_ERROR: the server gave the request up (RST_STREAM INTERNAL_ERROR)",
    "http 503: the server answered with HTTP status 503 instead of a gRPC reply",
    "malformed reply: the reply ended without a gRPC status",
    expect.stringMatching(/^connection .*the server closed the connection/),
    "grpc UNAVAILABLE: no room",
    expect.stringMatching(/^connection .*the server closed the connection/),
    "answer",
    "connection GOAWAY: the server is closing the connection (GOAWAY ENHANCE_YOUR_CALM: too_many_pings)",
    "answer",
  ]);
});

test("after a polite GOAWAY what is under way still ends, and what comes next goes over a new connection", async () => {
  const { port } = await server((stream, _headers, _body, n) => {
    if (n > 1) return answer(stream);
    stream.session!.goaway(0, 2 ** 31 - 1);
    setTimeout(() => answer(stream), 50);
  });
  const through = await tunnel(port);
  const { protocol, connection } = await connect(grpc(through.port));
  const message = protocol.encode([tensor(1, 2)]);
  const first = send(connection, message);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = send(connection, message);
  expect((await first).reply).toBeDefined();
  expect((await second).reply).toBeDefined();
  expect(through.accepted()).toBe(2);
  await expect.poll(() => through.open()).toBe(1);
  connection.close();
});

test("a server that goes away fails what is under way, and is used again when it is back", async () => {
  const gone = await server((stream, _headers, _body, n) => {
    if (n === 1) answer(stream);
  });
  const { protocol, connection } = await connect(grpc(gone.port), { timeoutMs: 2000 });
  const message = protocol.encode([tensor(1, 2)]);
  expect((await send(connection, message)).reply).toBeDefined();
  const hanging = send(connection, message);
  setTimeout(gone.stop, 50);
  expect(await hanging).toMatchObject({ kind: expect.stringMatching(/^connection /) });
  expect(await send(connection, message)).toMatchObject({
    kind: "connection ECONNREFUSED",
    detail: "nothing listens there (ECONNREFUSED)",
  });
  await server((stream) => answer(stream), {}, gone.port);
  expect((await send(connection, message)).reply).toBeDefined();
  connection.close();
});

test("closing fails what is under way, once, and what comes later", async () => {
  const { port } = await server(() => {});
  const { protocol, connection } = await connect(grpc(port));
  const message = protocol.encode([tensor(1, 2)]);
  const hanging = send(connection, message);
  connection.close();
  expect(await hanging).toMatchObject({ kind: "connection lost" });
  expect(await send(connection, message)).toMatchObject({ kind: "connection lost" });
});

test("a server that is not what it should be is one sentence", async () => {
  const late = { timeoutMs: 300 };
  const closed = await raw(() => {});
  stops.pop()!();
  expect(await refusal(grpc(closed))).toBe("nothing listens there (ECONNREFUSED)");
  const http1 = await raw((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
  expect(await refusal(grpc(http1))).toBe("the server speaks HTTP/1.1, not gRPC; this may be its REST port");
  const silent = await raw(() => {});
  expect(await refusal(grpc(silent), late)).toBe("no HTTP/2 settings within 300 ms; this may not be a gRPC port");
  const rude = await raw((socket) => socket.end());
  expect(await refusal(grpc(rude))).toBe("the server closed the connection");
  const ssh = await raw((socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"));
  expect(await refusal(grpc(ssh))).toBe("the server does not speak HTTP/2; this may not be its gRPC port");
});

test("bytes on the wire are those of the socket", async () => {
  const { port } = await server((stream) => answer(stream));
  const through = await tunnel(port);
  const { protocol, connection } = await connect(grpc(through.port));
  for (let i = 0; i < 20; i++) await send(connection, protocol.encode([tensor(1, 2)]));
  expect(connection.bytes().sent).toBe(through.received());
  const before = connection.bytes();
  connection.close();
  await expect.poll(() => connection.bytes()).toEqual(before);
});
