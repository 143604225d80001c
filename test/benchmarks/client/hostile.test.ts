import type net from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { runPart } from "../../../benchmarks/client/engine.ts";
import { protocols } from "../../../benchmarks/client/protocols/index.ts";
import { connect, framed, rawServer, refusal, send, targetOf, tensor } from "./protocols/exchange.ts";
import { experiment } from "./servers.ts";

// Whatever a server sends: an answer, a counted failure or one sentence; never an exception, never silence beyond the
// time limit.

const v2 = ["v2-grpc", "v2-rest", "v2-rest-binary"] as const;

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function raw(talk: (socket: net.Socket) => void): Promise<number> {
  const { port, stop } = await rawServer(talk);
  stops.push(stop);
  return port;
}

const json = Buffer.from(
  JSON.stringify({ outputs: [{ name: "prob", datatype: "FP32", shape: [1, 3], data: [0.1, 0.7, 0.2] }] }),
);
const protobuf = framed(
  Buffer.concat([
    Buffer.from([
      0x0a,
      1,
      0x6d,
      0x2a,
      18,
      0x0a,
      4,
      ...Buffer.from("prob"),
      0x12,
      4,
      ...Buffer.from("FP32"),
      0x1a,
      4,
      1,
      2,
      3,
      4,
    ]),
    Buffer.from([0x32, 12]),
    Buffer.from(new Float32Array([0.1, 0.7, 0.2]).buffer),
  ]),
);

/** Real bytes with some of them changed, cut off, or put in twice. */
const mutated = (bytes: Buffer) =>
  fc
    .record({
      changes: fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      length: fc.oneof(fc.constant(bytes.length), fc.nat(bytes.length)),
      again: fc.boolean(),
    })
    .map(({ changes, length, again }) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      return Buffer.concat([copy.subarray(0, length), again ? copy : Buffer.alloc(0)]);
    });

describe.each(v2)("%s", (name) => {
  const protocol = protocols[name](targetOf(name, 1), undefined);

  test("no reply, whatever its bytes, does more than throw an Error of one sentence", () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((content) => Buffer.from(content));
    const outputs = fc.array(
      fc.record(
        {
          name: fc.constantFrom("prob", "x"),
          datatype: fc.constantFrom("FP32", "BYTES", "INT64", 7),
          data: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
    );
    const replies = fc.oneof(
      ...[bytes, bytes.map(framed), mutated(json), mutated(protobuf)],
      ...[fc.jsonValue(), fc.record({ outputs: fc.jsonValue() }), fc.record({ outputs })].map((value) =>
        (value as fc.Arbitrary<unknown>).map((content) => Buffer.from(JSON.stringify(content))),
      ),
    );
    fc.assert(
      fc.property(replies, fc.integer({ min: 1, max: 4 }), (reply, count) => {
        try {
          const answers = protocol.answers(reply, count);
          expect(answers).toHaveLength(count);
          for (const answer of answers) expect(["number", "string"]).toContain(typeof answer);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).message).not.toBe("");
          expect((error as Error).message).not.toContain("undefined");
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("a server of random bytes fails each request within its time", async () => {
    const replies = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), { numRuns: 40, seed: 7 });
    let next = 0;
    const port = await raw((socket) => {
      socket.once("data", () => socket.end(replies[next++ % replies.length]));
    });
    if (name === "v2-grpc") {
      for (const _ of replies)
        expect(await refusal(targetOf(name, port), { timeoutMs: 300 })).toMatch(/^(the server|no HTTP\/2) /);
      return;
    }
    const { connection } = await connect(targetOf(name, port), { timeoutMs: 300 });
    for (const _ of replies)
      expect(await send(connection, protocol.encode([tensor(1)]))).toMatchObject({
        kind: expect.stringMatching(/^(malformed reply|connection |timeout|http )/),
      });
    connection.close();
  });
});

test.each(v2)(
  "%s: nothing is measured at a server of random bytes, and the user is told in one sentence",
  async (name) => {
    const replies = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), { numRuns: 10, seed: 7 });
    let next = 0;
    const port = await raw((socket) => {
      socket.once("data", () => socket.end(replies[next++ % replies.length]));
    });
    for (const _ of replies)
      await expect(runPart(experiment(name, port, { clients: 1, timeoutSeconds: 0.5 }))).rejects.toMatchObject({
        name: "UserError",
        message: expect.stringContaining(`127.0.0.1:${port}`),
      });
  },
);

// What a real server's replies look like on the wire
const frame = (type: number, flags: number, id: number, payload: Uint8Array) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
};
const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.from([0x40, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const settings = frame(4, 0, 0, Buffer.from([0, 4, 0, 16, 0, 0]));
const reply = Buffer.concat([
  frame(1, 4, 1, Buffer.concat([Buffer.from([0x88]), literal("content-type", "application/grpc")])),
  frame(8, 0, 0, Buffer.from([0, 0, 1, 0])),
  frame(6, 0, 0, Buffer.alloc(8)),
  frame(0, 0, 1, protobuf),
  frame(1, 5, 1, literal("grpc-status", "0")),
]);

describe("HTTP/2", () => {
  const target = (port: number) => targetOf("v2-grpc", port);
  const protocol = protocols["v2-grpc"](target(1), undefined);
  const message = protocol.encode([tensor(1)]);

  /** What becomes of one request to a server that sends its settings, and these bytes for the request. */
  async function outcome(bytes: Uint8Array, end: boolean) {
    const port = await raw((socket) => {
      socket.write(settings);
      let came = 0;
      socket.on("data", (chunk) => {
        came += chunk.length;
        if (came < 100 + message.body.length) return;
        came = Number.NEGATIVE_INFINITY;
        socket.write(bytes);
        if (end) socket.end();
      });
    });
    try {
      const { connection } = await connect(target(port), { timeoutMs: end ? 5000 : 250, maxReplyBytes: 1 << 16 });
      const result = await send(connection, message);
      connection.close();
      return result;
    } finally {
      stops.pop()!();
    }
  }

  test("the reply as it is, is an answer", async () => {
    const { reply: answer } = await outcome(reply, false);
    expect(protocol.answers(answer!, 1)).toEqual([1]);
  });

  const kinds =
    /^(connection (lost|ERR_HTTP2|GOAWAY|ECONNRESET|EPIPE)|malformed reply|stream reset |timeout|grpc |http |reply too large)/;
  const check = (result: Awaited<ReturnType<typeof outcome>>) => {
    if (result.reply === undefined) {
      expect(result.kind).toMatch(kinds);
      expect(`${result.kind}: ${result.detail}`).not.toContain("undefined");
    } else {
      try {
        protocol.answers(result.reply, 1);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
  };

  test("a reply that is cut off or changed anywhere ends the request in its own way", async () => {
    await fc.assert(
      fc.asyncProperty(mutated(reply), async (bytes) => check(await outcome(bytes, true))),
      { numRuns: 250 },
    );
  });

  test("so do frames of any kind in any order", async () => {
    const frames = fc.array(
      fc
        .record({
          type: fc.integer({ min: 0, max: 11 }),
          flags: fc.integer({ min: 0, max: 63 }),
          id: fc.constantFrom(0, 1, 1, 1, 2, 3, 99),
          payload: fc.uint8Array({ maxLength: 40 }),
        })
        .map(({ type, flags, id, payload }) => frame(type, flags, id, payload)),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(frames, async (list) => {
        const result = await outcome(Buffer.concat(list), true);
        check(result);
        if (result.reply === undefined) expect(result.kind).not.toBe("timeout"); // the server has closed the connection
      }),
      { numRuns: 250 },
    );
  });

  test("it does not matter into which pieces the network cuts a reply", async () => {
    for (let size = 1; size < 40; size += 3) {
      const port = await raw((socket) => {
        socket.setNoDelay();
        socket.write(settings);
        socket.once("data", async () => {
          for (let at = 0; at < reply.length; at += size) {
            socket.write(reply.subarray(at, at + size));
            await new Promise(setImmediate);
          }
        });
      });
      const { connection } = await connect(target(port));
      const result = await send(connection, message);
      expect(protocol.answers(result.reply!, 1)).toEqual([1]);
      connection.close();
    }
  });

  test.each([
    [
      "a reset in the middle of a reply",
      [
        frame(1, 4, 1, Buffer.from([0x88])),
        frame(0, 0, 1, protobuf.subarray(0, 9)),
        frame(3, 0, 1, Buffer.from([0, 0, 0, 2])),
      ],
      /^stream reset INTERNAL_ERROR/,
    ],
    [
      "a frame longer than allowed",
      [frame(0, 0, 1, Buffer.alloc(20_000))],
      /^connection ERR_HTTP2: a frame of 20000 bytes/,
    ],
    ["a push", [frame(5, 4, 1, Buffer.alloc(8))], /^connection ERR_HTTP2: a push/],
    [
      "endless headers",
      Array.from({ length: 20 }, (_, i) => frame(i ? 9 : 1, 0, 1, Buffer.alloc(16_000))),
      /^connection ERR_HTTP2: too many headers/,
    ],
    [
      "a header bomb",
      [frame(1, 0, 1, literal("x", "y".repeat(126))), frame(9, 4, 1, Buffer.alloc(10_000, 0xbe))],
      /^connection ERR_HTTP2: too many headers/,
    ],
    [
      "a window that overflows",
      [frame(8, 0, 0, Buffer.from([0x7f, 255, 255, 255]))],
      /^connection ERR_HTTP2: a window/,
    ],
    [
      "trailers without a status",
      [frame(1, 4, 1, Buffer.from([0x88])), frame(1, 5, 1, literal("a", "b"))],
      /^malformed reply: the reply ended without a gRPC status/,
    ],
    ["silence", [], /^timeout: no complete reply within 250 ms/],
  ])("%s is said in a sentence", async (_, frames, sentence) => {
    const result = await outcome(Buffer.concat(frames), false);
    expect("kind" in result && `${result.kind}: ${result.detail}`).toMatch(sentence);
  });
});
