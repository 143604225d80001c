import protobuf from "protobufjs";
import { decode, type ReceivedTensor, type TensorProto, tensorText } from "./tensor-proto.ts";

/**
 * The part of TensorFlow Serving's prediction service that inference needs, in our own words with the public names and
 * field numbers.
 */
const text = `
syntax = "proto3";
package tensorflow.serving;

message ModelSpec {
  string name = 1;
  string signature_name = 3;
}

message PredictRequest {
  ModelSpec model_spec = 1;
  map<string, tensorflow.TensorProto> inputs = 2;
  repeated string output_filter = 3;
}

message PredictResponse {
  map<string, tensorflow.TensorProto> outputs = 1;
}
`;

const root = new protobuf.Root();
protobuf.parse(tensorText, root);
protobuf.parse(text, root);
const request = root.lookupType("tensorflow.serving.PredictRequest");
const response = root.lookupType("tensorflow.serving.PredictResponse");

export interface PredictRequest {
  modelSpec: { name: string; signatureName: string };
  inputs: Record<string, TensorProto>;
  outputFilter: string[];
}

export interface PredictResponse {
  outputs: Record<string, ReceivedTensor>;
}

export const encodeRequest = (message: PredictRequest): Uint8Array => request.encode(message).finish();
export const decodeResponse = (bytes: Uint8Array): PredictResponse => decode(response, bytes);
