import type { Target } from "../../spec.ts";
import { float32 } from "./answers.ts";
import { type GrpcMethod, grpcProtocol } from "./grpc.ts";
import type { Protocol, Tls } from "./protocol.ts";
import { decodeMessage, encodeRequest, jsonOf, listOf, type SeldonMessage } from "./seldon-proto.ts";
import { onlyFile, type SeldonData, seldonAnswers } from "./seldon-reply.ts";
import { batchData, batchShape } from "./tensor.ts";

/**
 * Seldon Core v1 over gRPC. Both the service orchestrator and a model's pod without one serve the service `Seldon`. Which
 * deployment is meant is said by headers of the target: `seldon` and `namespace`.
 */
export function seldonGrpcMethod({ output }: Target): GrpcMethod {
  return {
    path: "/seldon.protos.Seldon/Predict",
    encode(batch) {
      if (batch[0]!.datatype === "BYTES") return encodeRequest({ binData: onlyFile(batch, "seldon-grpc") });
      const values = Array.from(float32(batchData(batch)));
      return encodeRequest({ data: { tensor: { shape: batchShape(batch), values } } });
    },
    answers(message, count) {
      const decoded = decodeMessage(message);
      const { status } = decoded;
      return seldonAnswers(
        status ? { ...status, failed: status.status !== 0 } : undefined,
        held(decoded),
        output,
        count,
      );
    },
  };
}

export const seldonGrpc = (target: Target, tls: Tls | undefined): Protocol =>
  grpcProtocol(target, tls, seldonGrpcMethod(target));

function held({ dataOneof, data, strData, jsonData }: SeldonMessage): SeldonData | undefined {
  if (dataOneof === "strData") return { text: strData };
  if (dataOneof === "jsonData") return { json: jsonOf(jsonData) };
  if (dataOneof !== "data") return undefined;
  if (data.dataOneof === "tensor") return { tensor: data.tensor.values };
  if (data.dataOneof === "ndarray") return { ndarray: listOf(data.ndarray) };
  return data.dataOneof === "tftensor" ? { tftensor: data.tftensor } : undefined;
}
