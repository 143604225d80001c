import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import type { Input } from "../../../../benchmarks/client/inputs.ts";
import { v2Grpc } from "../../../../benchmarks/client/protocols/v2-grpc.ts";
import { v2Rest } from "../../../../benchmarks/client/protocols/v2-rest.ts";
import { v2RestBinary } from "../../../../benchmarks/client/protocols/v2-rest-binary.ts";
import { ask, file, framed, rawServer, targetOf, tensor } from "./exchange.ts";

// The messages as the protocol publishes them, apart from those of the client: a check on its field numbers.
const { root } = protobuf.parse(
  `syntax = "proto3"; package inference;
  message InferParameter { oneof parameter_choice { bool bool_param = 1; int64 int64_param = 2; string string_param = 3; } }
  message InferTensorContents { repeated bool bool_contents = 1; repeated int32 int_contents = 2; repeated int64 int64_contents = 3;
    repeated uint32 uint_contents = 4; repeated uint64 uint64_contents = 5; repeated float fp32_contents = 6;
    repeated double fp64_contents = 7; repeated bytes bytes_contents = 8; }
  message ModelInferRequest {
    message InferInputTensor { string name = 1; string datatype = 2; repeated int64 shape = 3; map<string, InferParameter> parameters = 4; InferTensorContents contents = 5; }
    message InferRequestedOutputTensor { string name = 1; map<string, InferParameter> parameters = 2; }
    string model_name = 1; string model_version = 2; string id = 3; map<string, InferParameter> parameters = 4;
    repeated InferInputTensor inputs = 5; repeated InferRequestedOutputTensor outputs = 6; repeated bytes raw_input_contents = 7; }
  message ModelInferResponse {
    message InferOutputTensor { string name = 1; string datatype = 2; repeated int64 shape = 3; map<string, InferParameter> parameters = 4; InferTensorContents contents = 5; }
    string model_name = 1; string model_version = 2; string id = 3; map<string, InferParameter> parameters = 4;
    repeated InferOutputTensor outputs = 5; repeated bytes raw_output_contents = 6; }`,
  { keepCase: true },
);
const request = root.lookupType("inference.ModelInferRequest");
const response = root.lookupType("inference.ModelInferResponse");

const grpc = v2Grpc(targetOf("v2-grpc", 1), undefined);
const rest = v2Rest(targetOf("v2-rest", 1), undefined);
const binary = v2RestBinary(targetOf("v2-rest-binary", 1), undefined);

const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 1, 2]);
const withShape = (input: Input, ...shape: number[]): Input => ({ ...input, shape });
/** Elements of BYTES as V2 writes them raw. */
const prefixed = (...elements: (Buffer | string)[]) =>
  Buffer.concat(
    elements.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(element));
      return [length, Buffer.from(element as string)];
    }),
  );
const little = {
  FP32: (...values: number[]) => Buffer.from(new Float32Array(values).buffer),
  FP64: (...values: number[]) => Buffer.from(new Float64Array(values).buffer),
  INT32: (...values: number[]) => Buffer.from(new Int32Array(values).buffer),
  INT64: (...values: number[]) => Buffer.from(new BigInt64Array(values.map(BigInt)).buffer),
};

describe("gRPC", () => {
  const sent = (batch: Input[]) => {
    const { body } = grpc.encode(batch);
    expect(body[0]).toBe(0);
    expect(body.readUInt32BE(1)).toBe(body.length - 5);
    return request.toObject(request.decode(body.subarray(5)), { longs: Number });
  };
  const reply = (message: object) => framed(response.encode(response.fromObject(message)).finish());
  const raw = (datatype: string, bytes: Buffer) =>
    reply({
      model_name: "model",
      outputs: [
        { name: "other", datatype: "FP32", shape: [1] },
        { name: "prob", datatype, shape: [1] },
      ],
      raw_output_contents: [Buffer.alloc(5), bytes],
    });
  const typed = (datatype: string, contents: object) => reply({ outputs: [{ name: "prob", datatype, contents }] });

  test("a batch of tensors is one raw tensor with the batch in front of the shape", () => {
    expect(sent([tensor(1, 2, 3), tensor(4, 5, 6)])).toEqual({
      model_name: "model",
      inputs: [{ name: "data", datatype: "FP32", shape: [2, 3] }],
      outputs: [{ name: "prob" }],
      raw_input_contents: [little.FP32(1, 2, 3, 4, 5, 6)],
    });
  });

  test("files are elements of BYTES, each with its length", () => {
    expect(sent([file(jpeg), file("text")])).toMatchObject({
      inputs: [{ datatype: "BYTES", shape: [2] }],
      raw_input_contents: [prefixed(jpeg, "text")],
    });
    expect(sent([withShape(file(jpeg), 1)])).toMatchObject({ inputs: [{ shape: [1, 1] }] });
  });

  test("answers come from scores, class numbers and class names, raw and typed", () => {
    expect(grpc.answers(raw("FP32", little.FP32(0.1, 0.9, 0.8, 0.2)), 2)).toEqual([1, 0]);
    expect(grpc.answers(raw("FP64", little.FP64(3, 1, 2)), 1)).toEqual([0]);
    expect(grpc.answers(raw("INT32", little.INT32(7, 9)), 2)).toEqual([7, 9]);
    expect(grpc.answers(raw("INT64", little.INT64(281, 5, 3, 1)), 2)).toEqual([281, 3]);
    expect(grpc.answers(raw("FP32", little.FP32(5, 7)), 2)).toEqual([5, 7]);
    expect(grpc.answers(raw("BYTES", prefixed("cat", "größe")), 2)).toEqual(["cat", "größe"]);
    expect(grpc.answers(typed("FP32", { fp32_contents: [0.1, 0.9] }), 1)).toEqual([1]);
    expect(grpc.answers(typed("FP64", { fp64_contents: [0.9, 0.1] }), 1)).toEqual([0]);
    expect(grpc.answers(typed("INT32", { int_contents: [4] }), 1)).toEqual([4]);
    expect(grpc.answers(typed("INT64", { int64_contents: [4, 5] }), 2)).toEqual([4, 5]);
    expect(grpc.answers(typed("BYTES", { bytes_contents: [Buffer.from("cat")] }), 1)).toEqual(["cat"]);
  });

  test("what is wrong with a reply is one sentence", () => {
    const refused = (bytes: Buffer, count = 1) => expect(() => grpc.answers(bytes, count));
    refused(Buffer.alloc(0)).toThrow("not one whole gRPC message");
    refused(Buffer.concat([raw("FP32", little.FP32(1)), Buffer.alloc(1)])).toThrow("not one whole gRPC message");
    refused(Buffer.from([1, 0, 0, 0, 0])).toThrow("a compressed gRPC message, which was not asked for");
    refused(reply({ outputs: [{ name: "a" }, { name: "b" }] })).toThrow('no output "prob" among [a, b]');
    refused(raw("FP32", Buffer.alloc(7))).toThrow('output "prob": 7 bytes are not a multiple of 4');
    refused(raw("FP32", little.FP32(1, 2, 3)), 2).toThrow('output "prob": 3 values do not make 2 answers');
    refused(raw("FP32", little.FP32(Number.NaN, Number.NaN))).toThrow('output "prob": the scores are not numbers');
    refused(raw("FP32", Buffer.alloc(0))).toThrow('output "prob": the output is empty');
    refused(raw("BOOL", Buffer.alloc(1))).toThrow('output "prob": its type is BOOL, not one of FP32');
    refused(raw("BYTES", Buffer.from([9, 0, 0, 0, 1]))).toThrow('output "prob": an element is cut off');
    refused(typed("FP32", {})).toThrow('output "prob": the output is empty');
  });
});

describe("REST", () => {
  const sent = (batch: Input[]) => JSON.parse(rest.encode(batch).body.toString());
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const reply = (output: object) =>
    json({
      outputs: [
        { name: "other", data: [] },
        { name: "prob", ...output },
      ],
    });

  test("tensors are numbers that give the same floats back", () => {
    const values = [0.1, -1e-30, 3.4e38, 1 / 3, 16_777_217];
    const { inputs, outputs } = sent([tensor(...values), tensor(0, 0, 0, 0, 1)]);
    expect(inputs).toMatchObject([{ name: "data", shape: [2, 5], datatype: "FP32" }]);
    expect(new Float32Array(inputs[0].data.slice(0, 5))).toEqual(new Float32Array(values));
    expect(outputs).toEqual([{ name: "prob" }]);
  });

  test("text is a string; a file that is none is base64, and says so", () => {
    expect(sent([file("grün"), file("b")]).inputs).toEqual([
      { name: "data", shape: [2], datatype: "BYTES", data: ["grün", "b"] },
    ]);
    expect(sent([file(jpeg), file("b")]).inputs).toEqual([
      {
        ...{ name: "data", shape: [2], datatype: "BYTES", parameters: { content_type: "base64" } },
        data: [jpeg.toString("base64"), Buffer.from("b").toString("base64")],
      },
    ]);
  });

  test("answers come from flat and nested data of every type", () => {
    expect(rest.answers(reply({ datatype: "FP32", data: [0.1, 0.9, 0.8, 0.2] }), 2)).toEqual([1, 0]);
    expect(
      rest.answers(
        reply({
          datatype: "FP64",
          data: [
            [0.1, 0.9],
            [0.8, 0.2],
          ],
        }),
        2,
      ),
    ).toEqual([1, 0]);
    expect(rest.answers(reply({ datatype: "INT64", data: [281, 3] }), 2)).toEqual([281, 3]);
    expect(rest.answers(reply({ datatype: "BYTES", data: ["cat", "dog"] }), 2)).toEqual(["cat", "dog"]);
  });

  test("what is wrong with a reply is one sentence", () => {
    const refused = (bytes: Buffer) => expect(() => rest.answers(bytes, 1));
    refused(Buffer.from("{")).toThrow(SyntaxError);
    refused(json(null)).toThrow("no list of outputs");
    refused(json({ outputs: [null, { name: "x" }] })).toThrow('no output "prob" among [, x]');
    refused(reply({ datatype: "FP32" })).toThrow('output "prob": it has no data');
    refused(reply({ datatype: "FP32", data: [1, "2"] })).toThrow('output "prob": its data are not all numbers');
    refused(reply({ datatype: "BYTES", data: [1] })).toThrow('output "prob": its data are not all strings');
    refused(reply({ datatype: "FP32", data: [] })).toThrow('output "prob": the output is empty');
  });
});

describe("REST with binary tensors", () => {
  /** What a server with these outputs answers, through a connection: the length of the JSON comes in a header. */
  async function answered(outputs: object[], data: Buffer, count = 1, header?: string): Promise<unknown> {
    const json = Buffer.from(JSON.stringify({ outputs }));
    const length = header ?? String(json.length);
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${json.length + data.length}\r\n`;
    const extension = length && `Inference-Header-Content-Length: ${length}\r\n`;
    const { port, stop } = await rawServer((socket) =>
      socket.once("data", () => socket.write(Buffer.concat([Buffer.from(`${head}${extension}\r\n`), json, data]))),
    );
    try {
      return await ask(
        targetOf("v2-rest-binary", port),
        Array.from({ length: count }, () => tensor(1)),
      );
    } catch (error) {
      return (error as Error).message;
    } finally {
      stop();
    }
  }
  const output = (name: string, datatype: string, size?: unknown) => ({
    ...{ name, datatype, shape: [1] },
    ...(size !== undefined && { parameters: { binary_data_size: size } }),
  });

  test("the JSON comes first, then the bytes it tells the size of", async () => {
    let came = Buffer.alloc(0);
    const { port, stop } = await rawServer((socket) =>
      socket.on("data", (chunk) => (came = Buffer.concat([came, chunk]))),
    );
    await ask(targetOf("v2-rest-binary", port), [file(jpeg), file("ab")], { timeoutMs: 300 });
    stop();
    const [head, rest] = [
      came.subarray(0, came.indexOf("\r\n\r\n")).toString(),
      came.subarray(came.indexOf("\r\n\r\n") + 4),
    ];
    const length = Number(/inference-header-content-length: (\d+)/.exec(head)![1]);
    expect(head).toContain("POST /v2/models/model/infer HTTP/1.1");
    expect(head).toContain("content-type: application/octet-stream");
    expect(JSON.parse(rest.subarray(0, length).toString())).toEqual({
      inputs: [{ name: "data", shape: [2], datatype: "BYTES", parameters: { binary_data_size: 17 } }],
      outputs: [{ name: "prob", parameters: { binary_data: true } }],
    });
    expect(rest.subarray(length)).toEqual(prefixed(jpeg, "ab"));
    expect(binary.encode([tensor(1, 2)]).body.subarray(-8)).toEqual(little.FP32(1, 2));
  });

  test("answers come from the bytes of the output, wherever it stands, or from JSON", async () => {
    const scores = little.FP32(0.1, 0.9);
    expect(await answered([output("prob", "FP32", 8)], scores)).toEqual([1]);
    const outputs = [
      output("a", "BYTES", 3),
      { ...output("b", "FP32"), data: [1] },
      output("prob", "FP32", 8),
      output("c", "INT8", 1),
    ];
    expect(await answered(outputs, Buffer.concat([Buffer.alloc(3), scores, Buffer.alloc(1)]))).toEqual([1]);
    expect(await answered([output("prob", "BYTES", 14)], prefixed("cat", "dog"), 2)).toEqual(["cat", "dog"]);
    expect(await answered([{ ...output("prob", "FP32"), data: [0.9, 0.1] }], Buffer.alloc(0), 1, "")).toEqual([0]);
  });

  test("what is wrong with a reply is one sentence", async () => {
    expect(await answered([output("prob", "FP32", 8)], Buffer.alloc(4))).toBe('output "prob": its data are cut off');
    expect(await answered([output("prob", "FP32", -8)], Buffer.alloc(8))).toBe(
      'output "prob": binary_data_size is not a size',
    );
    expect(await answered([output("prob", "FP32", "8")], Buffer.alloc(8))).toBe(
      'output "prob": binary_data_size is not a size',
    );
    expect(await answered([], Buffer.alloc(0), 1, "99")).toBe(
      'the header inference-header-content-length is "99", but the reply has 14 bytes',
    );
    expect(await answered([], Buffer.alloc(0), 1, "x")).toContain('is "x"');
    expect(await answered([output("prob", "FP32")], Buffer.alloc(0))).toBe('output "prob": it has no data');
  });
});
