import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tfsGrpcMethod } from "../../../../benchmarks/client/protocols/tfs-grpc.ts";
import { nested, tfsRestMethod } from "../../../../benchmarks/client/protocols/tfs-rest.ts";
import { doubles, expectAnswersOrSentence, expectSafe, field, floats, integer, targetOf } from "./replies.ts";

const grpc = tfsGrpcMethod(targetOf("tfs-grpc"));
const rest = tfsRestMethod(targetOf("tfs-rest", { model: "a/b c" }));

/** A PredictResponse with one output, from its field numbers alone. */
const reply = (name: string, ...tensor: Buffer[]) =>
  field(1, Buffer.concat([field(1, name), field(2, Buffer.concat(tensor))]));
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

const scores = reply("y", integer(1, 1), field(5, floats(0.1, 0.9, 0.2, 0.7, 0.1, 0.2)));
const labels = reply("y", integer(1, 7), field(8, "zebra"), field(8, "größe"));

describe("Predict over gRPC", () => {
  it("reads scores, class numbers and labels, whether packed into bytes or not", () => {
    expect(grpc.answers(scores, 2)).toEqual([1, 0]);
    expect(grpc.answers(reply("y", integer(1, 1), field(4, floats(0.1, 0.9))), 1)).toEqual([1]);
    expect(grpc.answers(reply("y", integer(1, 2), field(4, doubles(3, 9, 4, 2))), 2)).toEqual([1, 0]);
    expect(grpc.answers(reply("y", integer(1, 3), integer(7, 281)), 1)).toEqual([281]);
    expect(grpc.answers(reply("y", integer(1, 5), field(4, Buffer.from([1, 2, 3, 0]))), 2)).toEqual([513, 3]);
    expect(grpc.answers(reply("y", integer(1, 4), field(4, Buffer.from([200, 3]))), 2)).toEqual([200, 3]);
    expect(grpc.answers(reply("y", integer(1, 6), field(4, Buffer.from([100, 3]))), 2)).toEqual([100, 3]);
    expect(grpc.answers(reply("y", integer(1, 9), integer(10, 7), integer(10, 8)), 2)).toEqual([7, 8]);
    expect(grpc.answers(labels, 2)).toEqual(["zebra", "größe"]);
  });

  it("takes one whole number per input for its class, whatever the type", () => {
    expect(grpc.answers(reply("y", integer(1, 1), field(5, floats(7, 3))), 2)).toEqual([7, 3]);
    expect(() => grpc.answers(reply("y", integer(1, 1), field(5, floats(0.5))), 1)).toThrow("not whole numbers");
  });

  it("says what is wrong with a reply", () => {
    expect(() => grpc.answers(reply("z"), 1)).toThrow('no output "y" among [z]');
    expect(() => grpc.answers(Buffer.alloc(0), 1)).toThrow('no output "y" among []');
    expect(() => grpc.answers(scores, 4)).toThrow("6 values do not make 4 answers");
    expect(() => grpc.answers(reply("y", integer(1, 1)), 1)).toThrow("the output is empty");
    expect(() => grpc.answers(reply("y", integer(1, 10), integer(11, 1)), 1)).toThrow("type is number 10");
    expect(() => grpc.answers(reply("y", integer(1, 1), field(4, Buffer.alloc(7))), 1)).toThrow("7 bytes");
    expect(() => grpc.answers(Buffer.from("HTTP/1.1 400 Bad Request"), 1)).toThrow(
      "the reply is not a PredictResponse: ",
    );
  });

  it("survives every reply", () => expectSafe(grpc.answers, [scores, labels]));
});

describe("Predict over REST", () => {
  it("has the model in its path, encoded", () => expect(rest.path).toBe("/v1/models/a%2Fb%20c:predict"));

  it("refuses an input that JSON cannot hold", () => {
    const input = (value: number) => ({
      name: "i",
      datatype: "FP32" as const,
      shape: [2],
      data: floats(1, value),
      labels: new Set([1]),
    });
    expect(rest.encode([input(-0.5)]).body.toString()).toBe(
      '{"signature_name":"serving_default","inputs":{"x":[[1,-0.5]]}}',
    );
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => rest.encode([input(value)])).toThrow(
        `An input holds ${value} (element 1), and JSON has no such number`,
      );
  });

  it("reads columns and rows, with names and without", () => {
    for (const body of [
      {
        outputs: {
          y: [
            [0.1, 0.9],
            [0.7, 0.3],
          ],
          z: [[1], [2]],
        },
      },
      {
        outputs: [
          [0.1, 0.9],
          [0.7, 0.3],
        ],
      },
      {
        predictions: [
          [0.1, 0.9],
          [0.7, 0.3],
        ],
      },
      {
        predictions: [
          { y: [0.1, 0.9], z: 1 },
          { y: [0.7, 0.3], z: 2 },
        ],
      },
      { predictions: [1, 0] },
    ])
      expect(rest.answers(json(body), 2, undefined)).toEqual([1, 0]);
    for (const body of [
      { outputs: ["zebra", { b64: Buffer.from("größe").toString("base64") }] },
      { predictions: [{ y: "zebra" }, { y: "größe" }] },
      { predictions: [{ b64: "emVicmE=" }, "größe"] },
    ])
      expect(rest.answers(json(body), 2, undefined)).toEqual(["zebra", "größe"]);
  });

  it.each([
    ["<html>", "the reply is not JSON"],
    ["[1]", "the reply is not a JSON object: [1]"],
    ['{"result":[]}', "neither outputs nor predictions"],
    ['{"outputs":{"z":[1]}}', 'no output "y" among [z]'],
    ['{"outputs":[[]]}', "the output is empty"],
    ['{"outputs":[null]}', "neither numbers nor texts but null"],
    ['{"predictions":[1,2,3]}', "3 values do not make 2 answers"],
  ])("says what is wrong with %s", (body, sentence) =>
    expect(() => rest.answers(Buffer.from(body), 2, undefined)).toThrow(sentence),
  );

  it("survives every reply", () => {
    expectSafe((body, count) => rest.answers(body, count, undefined), [json({ outputs: { y: [[0.1, 0.9]] } })]);
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom("outputs", "predictions"),
        fc.integer({ min: 1, max: 4 }),
        (value, key, n) => expectAnswersOrSentence(() => rest.answers(json({ [key]: value }), n, undefined), n),
      ),
    );
  });
});

describe("nested lists", () => {
  it("have the sizes of the shape, and the elements in their order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }), (shape) => {
        const values = Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => i);
        const sizes = (list: unknown): number[] => (Array.isArray(list) ? [list.length, ...sizes(list[0])] : []);
        const lists = nested(values, shape);
        expect(sizes(lists)).toEqual(shape);
        expect([lists].flat(Number.POSITIVE_INFINITY)).toEqual(values);
      }),
    );
  });
});
