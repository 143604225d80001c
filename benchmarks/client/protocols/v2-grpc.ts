import type { Target } from "../../spec.ts";
import { grpcProtocol } from "./grpc.ts";
import type { Protocol, Tls } from "./protocol.ts";
import { batchShape } from "./tensor.ts";
import { decodeResponse, encodeRequest, type InferTensorContents, type Integer } from "./v2-proto.ts";
import { answersIn, answersInRaw, rawTensor, readOutput } from "./v2-tensor.ts";

/** Open Inference Protocol V2 over gRPC; tensors as raw bytes. */
export function v2Grpc(target: Target, tls: Tls | undefined): Protocol {
  return grpcProtocol(target, tls, {
    path: "/inference.GRPCInferenceService/ModelInfer",
    encode: (batch) =>
      encodeRequest({
        model_name: target.model,
        inputs: [{ name: target.input, datatype: batch[0]!.datatype, shape: batchShape(batch) }],
        outputs: [{ name: target.output }],
        raw_input_contents: [rawTensor(batch)],
      }),
    answers(message, count) {
      const { outputs, raw_output_contents: raw } = decodeResponse(message);
      return readOutput(outputs, target.output, ({ datatype, contents }, index) =>
        raw[index]
          ? answersInRaw(datatype, raw[index], count)
          : answersIn(datatype, contents ? typedContents(contents, datatype) : [], count),
      );
    },
  });
}

function typedContents(contents: InferTensorContents, datatype: string): ArrayLike<unknown> {
  switch (datatype) {
    case "FP32":
      return contents.fp32_contents;
    case "FP64":
      return contents.fp64_contents;
    case "INT32":
      return contents.int_contents;
    case "INT64":
      return contents.int64_contents.map(toNumber);
    default:
      return contents.bytes_contents;
  }
}

const toNumber = (value: Integer): number => (typeof value === "number" ? value : value.toNumber());
