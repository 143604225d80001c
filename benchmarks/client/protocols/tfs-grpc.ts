import type { Target } from "../../spec.ts";
import { type GrpcMethod, grpcProtocol } from "./grpc.ts";
import type { Protocol, Tls } from "./protocol.ts";
import { batchTensor, tensorAnswers } from "./tensor-proto.ts";
import { decodeResponse, encodeRequest } from "./tfs-proto.ts";

/** Signature that TensorFlow's exporters give a model for inference. */
export const defaultSignature = "serving_default";

/** TensorFlow Serving's Predict over gRPC. The server is asked for the one output that is read. */
export function tfsGrpcMethod({ model, input, output, signature = defaultSignature }: Target): GrpcMethod {
  return {
    path: "/tensorflow.serving.PredictionService/Predict",
    encode: (batch) =>
      encodeRequest({
        modelSpec: { name: model, signatureName: signature },
        inputs: { [input]: batchTensor(batch) },
        outputFilter: [output],
      }),
    answers(message, count) {
      const { outputs } = decodeResponse(message);
      if (!Object.hasOwn(outputs, output))
        throw new Error(`no output "${output}" among [${Object.keys(outputs).join(", ")}]`);
      return tensorAnswers(outputs[output]!, count);
    },
  };
}

export const tfsGrpc = (target: Target, tls: Tls | undefined): Protocol =>
  grpcProtocol(target, tls, tfsGrpcMethod(target));
