import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seldonGrpcMethod } from "../../../../benchmarks/client/protocols/seldon-grpc.ts";
import { seldonRestMethod } from "../../../../benchmarks/client/protocols/seldon-rest.ts";
import { doubles, expectAnswersOrSentence, expectSafe, field, floats, integer, targetOf } from "./replies.ts";

const grpc = seldonGrpcMethod(targetOf("seldon-grpc"));
const rest = seldonRestMethod(targetOf("seldon-rest"));
const read = (body: Buffer, count: number) => rest.answers(body, count, undefined);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

// Messages from their field numbers alone.
const data = (...fields: Buffer[]) => field(3, Buffer.concat(fields));
const list = (...values: Buffer[]) => Buffer.concat(values.map((value) => field(1, value)));
const number = (value: number) => Buffer.concat([Buffer.from([(2 << 3) | 1]), doubles(value)]);
const text = (value: string) => field(3, value);
const rows = (...values: Buffer[][]) => list(...values.map((row) => field(6, list(...row))));
const entry = (name: string, value: Buffer) => field(1, Buffer.concat([field(1, name), field(2, value)]));

const tensor = data(field(2, Buffer.concat([field(1, Buffer.from([2, 2])), field(2, doubles(0.1, 0.9, 0.7, 0.3))])));
const ndarray = data(
  field(1, "t:0"),
  field(1, "t:1"),
  field(3, rows([number(0.1), number(0.9)], [number(7), number(3)])),
);
const tftensor = data(field(4, Buffer.concat([integer(1, 1), field(4, floats(0.1, 0.9, 0.7, 0.3))])));
const struct = field(6, field(5, entry("y", field(6, list(text("zebra"), text("größe"))))));
const failure = Buffer.concat([
  field(1, Buffer.concat([integer(1, 503), field(2, "no model"), field(3, "GONE"), integer(4, 1)])),
  tensor,
]);

describe("a SeldonMessage over gRPC", () => {
  it("holds its answers in any of its forms", () => {
    for (const message of [tensor, ndarray, tftensor]) expect(grpc.answers(message, 2)).toEqual([1, 0]);
    expect(grpc.answers(data(field(3, rows([text("zebra")], [text("größe")]))), 2)).toEqual(["zebra", "größe"]);
    expect(grpc.answers(struct, 2)).toEqual(["zebra", "größe"]);
    expect(grpc.answers(field(6, text("zebra")), 1)).toEqual(["zebra"]);
    expect(grpc.answers(field(6, number(281)), 1)).toEqual([281]);
    expect(grpc.answers(field(5, "zebra"), 1)).toEqual(["zebra"]);
  });

  it("is a fault of its own kind when it says FAILURE, whatever else it holds", () => {
    expect(() => grpc.answers(failure, 2)).toThrow(
      expect.objectContaining({
        kind: "seldon FAILURE",
        message: "the server answered with status FAILURE (code 503): GONE: no model",
      }),
    );
    expect(grpc.answers(Buffer.concat([field(1, integer(1, 200)), tensor]), 2)).toEqual([1, 0]);
  });

  it("says what is wrong with it", () => {
    expect(() => grpc.answers(Buffer.alloc(0), 1)).toThrow("the message holds none of");
    expect(() => grpc.answers(field(4, "bytes"), 1)).toThrow("the message holds none of");
    expect(() => grpc.answers(data(field(1, "t:0")), 1)).toThrow("the message holds none of");
    expect(() => grpc.answers(field(5, "zebra"), 2)).toThrow("1 values do not make 2 answers");
    expect(() => grpc.answers(field(6, field(5, entry("z", number(1)))), 1)).toThrow('jsonData has no "y": {"z":1}');
    expect(() => grpc.answers(Buffer.from([0x1a, 0x7f, 1]), 1)).toThrow("the reply is not a SeldonMessage: ");
  });

  it("never crashes the reader", () => expectSafe(grpc.answers, [tensor, ndarray, tftensor, struct, failure]));
});

describe("a SeldonMessage over REST", () => {
  it("holds its answers in any of its forms", () => {
    for (const held of [
      { tensor: { shape: [2, 2], values: [0.1, 0.9, 0.7, 0.3] } },
      {
        names: ["t:0", "t:1"],
        ndarray: [
          [0.1, 0.9],
          [0.7, 0.3],
        ],
      },
      { ndarray: [1, 0] },
      { tftensor: { dtype: "DT_FLOAT", tensorShape: { dim: [{ size: "2" }] }, floatVal: [0.1, 0.9, 0.7, 0.3] } },
      { tftensor: { dtype: "DT_FLOAT", tensorContent: floats(0.1, 0.9, 0.7, 0.3).toString("base64") } },
      { tftensor: { dtype: "DT_INT64", int64Val: ["1", "0"] } },
    ])
      expect(read(json({ meta: {}, data: held }), 2)).toEqual([1, 0]);
    for (const message of [
      { data: { ndarray: ["zebra", "größe"] } },
      {
        data: {
          tftensor: { dtype: "DT_STRING", stringVal: ["zebra", "größe"].map((s) => Buffer.from(s).toString("base64")) },
        },
      },
      { jsonData: { y: ["zebra", "größe"] } },
      { jsonData: [["zebra"], ["größe"]] },
    ])
      expect(read(json(message), 2)).toEqual(["zebra", "größe"]);
    expect(read(json({ strData: "zebra" }), 1)).toEqual(["zebra"]);
  });

  it.each(["FAILURE", 1])("is a fault of its own kind when its status is %j", (status) => {
    expect(() => read(json({ status: { status, code: 500, info: "no model" }, strData: "zebra" }), 1)).toThrow(
      expect.objectContaining({
        kind: "seldon FAILURE",
        message: "the server answered with status FAILURE (code 500): no model",
      }),
    );
    expect(read(json({ status: { status: "SUCCESS", code: 200 }, strData: "zebra" }), 1)).toEqual(["zebra"]);
  });

  it.each([
    ["<html>", "the reply is not JSON"],
    ["{}", "the message holds none of"],
    ['{"binData":"AAAA"}', "the message holds none of"],
    ['{"data":{"tensor":{"shape":[1]}}}', "data.tensor.values is not a list of numbers"],
    ['{"data":{"tensor":{"values":["NaN"]}}}', 'not a list of numbers: ["NaN"]'],
    ['{"data":{"ndarray":[true]}}', "neither numbers nor texts but true"],
    ['{"data":{"ndarray":[]}}', "the output is empty"],
    ['{"jsonData":{"z":1}}', 'jsonData has no "y": {"z":1}'],
  ])("says what is wrong with %s", (body, sentence) => expect(() => read(Buffer.from(body), 1)).toThrow(sentence));

  it("never crashes the reader", () => {
    expectSafe(read, [json({ status: { status: 0 }, data: { tensor: { shape: [1, 2], values: [0.1, 0.9] } } })]);
    const anyOf = (...names: string[]) => fc.dictionary(fc.constantFrom(...names), fc.jsonValue());
    const tftensorLike = fc.record(
      {
        dtype: fc.constantFrom("DT_FLOAT", "DT_STRING", "DT_INT64", 1, 7, "x"),
        floatVal: fc.jsonValue(),
        stringVal: fc.jsonValue(),
        int64Val: fc.jsonValue(),
        tensorContent: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const message = fc.record(
      {
        status: fc.oneof(fc.jsonValue(), anyOf("status", "code", "info")),
        data: fc.oneof(fc.jsonValue(), anyOf("tensor", "ndarray", "tftensor"), fc.record({ tftensor: tftensorLike })),
        strData: fc.jsonValue(),
        jsonData: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(message, fc.integer({ min: 1, max: 4 }), (value, count) =>
        expectAnswersOrSentence(() => read(json(value), count), count),
      ),
      { numRuns: 2000 },
    );
  });
});
