import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { type Experiment, type Hooks, runPart } from "../../../benchmarks/client/engine.ts";
import { type Input, readInputs } from "../../../benchmarks/client/inputs.ts";
import { type Measurement, merge } from "../../../benchmarks/client/merge.ts";
import type { ClosedLoop, InputManifest, MlperfScenario, OpenLoop, Target } from "../../../benchmarks/spec.ts";

/** How a test server behaves, by the number of the inference request (from 1). Read for each request: may be changed. */
export interface Knobs {
  delayMs?: number | ((n: number) => number);
  /** Answers with an error. */
  fail?: (n: number) => boolean;
  /** Answers with a class that is not the right one. */
  wrong?: (n: number) => boolean;
  /** Never answers. */
  hang?: (n: number) => boolean;
  /** Answers with typed contents instead of raw bytes (gRPC only). */
  typed?: boolean;
  /** Answers with something else than the protocol's message. */
  garbage?: (n: number) => boolean;
}

export interface TestServer {
  readonly port: number;
  /** Inference requests that have come. */
  readonly seen: { requests: number; sockets: number };
  /** Ends it at once, with all its connections. */
  stop(): Promise<void>;
}

export const classes = 10;
/** The right class is the first element of the tensor. */
const scoresFor = (first: number, wrong: boolean): number[] =>
  Array.from({ length: classes }, (_, i) => (i === (wrong ? (first + 1) % classes : first) ? 0.9 : 0.01));

// The messages in full, as the protocol publishes them, and apart from those of the client: a check on its field numbers.
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
const requestType = root.lookupType("inference.ModelInferRequest");
const responseType = root.lookupType("inference.ModelInferResponse");

const delayOf = ({ delayMs = 0 }: Knobs, n: number) => (typeof delayMs === "function" ? delayMs(n) : delayMs);
const later = (ms: number, work: () => void) => (ms > 0 ? setTimeout(work, ms) : work());

/** A V2 gRPC server on gRPC's own library, which shares no code with the client. */
export async function grpcServer(knobs: Knobs = {}, ip = "127.0.0.1", port = 0): Promise<TestServer> {
  const seen = { requests: 0, sockets: 0 };
  const peers = new Set<string>();
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const method: grpc.MethodDefinition<Buffer, Buffer> = {
    path: "/inference.GRPCInferenceService/ModelInfer",
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: (bytes) => bytes,
    responseDeserialize: (bytes) => bytes,
  };
  const infer: grpc.handleUnaryCall<Buffer, Buffer> = (call, done) => {
    const n = ++seen.requests;
    seen.sockets = peers.add(call.getPeer()).size;
    if (knobs.hang?.(n)) return;
    later(delayOf(knobs, n), () => {
      if (knobs.fail?.(n)) return done({ code: grpc.status.UNAVAILABLE, details: "no room – try again" });
      if (knobs.garbage?.(n)) return done(null, Buffer.from("neither fish nor flesh"));
      const request = requestType.toObject(requestType.decode(call.request), { longs: Number, defaults: true });
      if (request.model_name !== "model")
        return done({ code: grpc.status.NOT_FOUND, details: `unknown model: '${request.model_name}' is not found` });
      const [tensor] = request.inputs;
      const raw: Buffer = request.raw_input_contents[0];
      const elements = tensor.shape.reduce((product: number, size: number) => product * size, 1);
      if (tensor.name !== "data" || tensor.datatype !== "FP32" || raw.length !== 4 * elements)
        return done({ code: grpc.status.INVALID_ARGUMENT, details: "unexpected tensor" });
      const rows: number = tensor.shape[0];
      const scores = Array.from({ length: rows }, (_, row) =>
        scoresFor(raw.readFloatLE((row * raw.length) / rows), knobs.wrong?.(n) ?? false),
      ).flat();
      const output = { name: request.outputs[0].name, datatype: "FP32", shape: [rows, classes] };
      const bytes = Buffer.from(new Float32Array(scores).buffer);
      const reply = knobs.typed
        ? { outputs: [{ ...output, contents: { fp32_contents: scores } }] }
        : {
            outputs: [{ name: "other", datatype: "FP32", shape: [1] }, output],
            raw_output_contents: [Buffer.alloc(4), bytes],
          };
      done(null, Buffer.from(responseType.encode(responseType.fromObject({ model_name: "model", ...reply })).finish()));
    });
  };
  server.addService({ ModelInfer: method }, { ModelInfer: infer });
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${ip}:${port}`, grpc.ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  );
  return { port: bound, seen, stop: async () => server.forceShutdown() };
}

/** A V2 REST server. */
export async function restServer(knobs: Knobs = {}, ip = "127.0.0.1", port = 0): Promise<TestServer> {
  const seen = { requests: 0, sockets: 0 };
  const server = http.createServer((request, response) => {
    if (request.url === "/v2/models/model/ready") return response.end();
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const n = ++seen.requests;
      if (knobs.hang?.(n)) return;
      later(delayOf(knobs, n), () => {
        const send = (status: number, body: unknown) => {
          response.writeHead(status, { "content-type": "application/json" });
          response.end(JSON.stringify(body));
        };
        if (request.url !== "/v2/models/model/infer") return send(404, { error: "unknown model" });
        if (knobs.fail?.(n)) return send(503, { error: "no room" });
        if (knobs.garbage?.(n)) return response.end("{");
        const { inputs, outputs } = JSON.parse(Buffer.concat(chunks).toString());
        const rows: number = inputs[0].shape[0];
        const elements: number[] = inputs[0].data.flat(Number.POSITIVE_INFINITY);
        const data = Array.from({ length: rows }, (_, row) =>
          scoresFor(elements[(row * elements.length) / rows]!, knobs.wrong?.(n) ?? false),
        ).flat();
        send(200, { outputs: [{ name: outputs[0].name, datatype: "FP32", shape: [rows, classes], data }] });
      });
    });
  });
  server.on("connection", () => seen.sockets++);
  await new Promise<void>((resolve) => server.listen(port, ip, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A folder with the inputs `labels`: tensors of shape [3] whose first element is the right class. */
export function inputsFolder(
  labels: readonly number[] = [0, 3, 7],
  edit?: (manifest: InputManifest) => unknown,
): string {
  const folder = mkdtempSync(join(tmpdir(), "inputs-"));
  const inputs = labels.map((label, i) => {
    const data = Buffer.from(new Float32Array([label, 0.1, -2]).buffer);
    writeFileSync(join(folder, `${i}.bin`), data);
    const sha256 = createHash("sha256").update(data).digest("hex");
    return { name: `input ${i}`, file: `${i}.bin`, sha256, datatype: "FP32" as const, shape: [3], labels: [label] };
  });
  const manifest: InputManifest = { inputs };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(edit ? edit(manifest) : manifest));
  return folder;
}

export const testInputs = (): Input[] => readInputs(inputsFolder());

/** Runs an experiment on this event loop alone. */
export async function measure(experiment: Experiment, hooks: Hooks = {}): Promise<Measurement> {
  const { load, target } = experiment;
  return merge([await runPart(experiment, hooks)], { load, target, events: [] });
}

/** An experiment against local servers of one port. */
export function experiment(
  protocol: Target["protocol"],
  port: number,
  load: Partial<ClosedLoop> | OpenLoop | MlperfScenario = {},
  ips: readonly string[] = ["127.0.0.1"],
): Experiment {
  const closed = { clients: 2, warmupSeconds: 0.1, durationSeconds: 0.4, seed: 1, timeoutSeconds: 2 };
  return {
    name: "test",
    target: { protocol, host: ips.join(","), port, model: "model", input: "data", output: "prob" },
    load: load.mode === "open" || load.mode === "mlperf" ? load : { mode: "closed", ...closed, ...load },
    inputs: testInputs(),
    addresses: ips.map((ip) => ({ ip, port })),
  };
}
