import net from "node:net";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { argmax, measure } from "../../../benchmarks/client/engine.ts";
import { protocols } from "../../../benchmarks/client/protocols/index.ts";
import { experiment } from "./servers.ts";

let server: net.Server | undefined;
afterEach(() => server?.close());

const target = experiment("v2-grpc", 1).target;

test.each(["v2-grpc", "v2-rest"] as const)(
  "%s: no reply, whatever its bytes, does more than throw an Error",
  (name) => {
    const { scores } = protocols[name]({ ...target, protocol: name });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, framed) => {
        const frame = Buffer.alloc(5);
        frame.writeUInt32BE(bytes.length, 1);
        const reply = Buffer.concat(framed ? [frame, bytes] : [bytes]);
        let result: ArrayLike<number>;
        try {
          result = scores(reply);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          return;
        }
        expect(argmax(result)).toBeGreaterThanOrEqual(-1);
      }),
      { numRuns: 500 },
    );
  },
);

const json = fc.jsonValue().map((value) => JSON.stringify({ outputs: value }));
test("v2-rest: nor does any JSON", () => {
  const { scores } = protocols["v2-rest"]({ ...target, protocol: "v2-rest" });
  const outputs = fc.array(fc.record({ name: fc.constantFrom("prob", "other"), data: fc.jsonValue() }));
  fc.assert(
    fc.property(
      fc.oneof(
        json,
        outputs.map((value) => JSON.stringify({ outputs: value })),
      ),
      (text) => {
        try {
          argmax(scores(Buffer.from(text)));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      },
    ),
  );
});

test.each(["v2-grpc", "v2-rest"] as const)("%s: a server of random bytes is one clear sentence", async (protocol) => {
  const replies = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), { numRuns: 20, seed: 7 });
  let next = 0;
  server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(replies[next++ % replies.length]));
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  for (const _ of replies)
    await expect(measure(experiment(protocol, port, { clients: 1, timeoutSeconds: 0.5 }))).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
});

test("the largest score wins; scores that are no numbers have no winner", () => {
  expect(argmax([0.1, 0.7, 0.2])).toBe(1);
  expect(argmax([-3, -1, -2])).toBe(1);
  expect(argmax([])).toBe(-1);
  expect(argmax([Number.NaN, Number.NaN])).toBe(-1);
  expect(argmax([Number.NaN, 0.5])).toBe(1);
});
