import protobuf from "protobufjs";

/**
 * The part of the Open Inference Protocol V2 that inference needs, in our own words with the public names and field
 * numbers. Unknown fields of a reply are skipped, and so are those that we do not read.
 */
export const v2Text = `
syntax = "proto3";
package inference;

message InferTensorContents {
  repeated int32 int_contents = 2;
  repeated int64 int64_contents = 3;
  repeated float fp32_contents = 6;
  repeated double fp64_contents = 7;
  repeated bytes bytes_contents = 8;
}

message ModelInferRequest {
  message InferInputTensor {
    string name = 1;
    string datatype = 2;
    repeated int64 shape = 3;
  }
  message InferRequestedOutputTensor {
    string name = 1;
  }
  string model_name = 1;
  repeated InferInputTensor inputs = 5;
  repeated InferRequestedOutputTensor outputs = 6;
  repeated bytes raw_input_contents = 7;
}

message ModelInferResponse {
  message InferOutputTensor {
    string name = 1;
    string datatype = 2;
    InferTensorContents contents = 5;
  }
  repeated InferOutputTensor outputs = 5;
  repeated bytes raw_output_contents = 6;
}
`;

const { root } = protobuf.parse(v2Text, { keepCase: true });

export interface ModelInferRequest {
  model_name: string;
  inputs: { name: string; datatype: string; shape: readonly number[] }[];
  outputs: { name: string }[];
  raw_input_contents: Uint8Array[];
}

/** Numbers of 64 bits come as objects where protobufjs finds the package for them. */
export type Integer = number | { toNumber(): number };

export interface InferTensorContents {
  int_contents: number[];
  int64_contents: Integer[];
  fp32_contents: number[];
  fp64_contents: number[];
  bytes_contents: Uint8Array[];
}

export interface ModelInferResponse {
  outputs: { name: string; datatype: string; contents?: InferTensorContents | null }[];
  raw_output_contents: Uint8Array[];
}

const request = root.lookupType("inference.ModelInferRequest");
const response = root.lookupType("inference.ModelInferResponse");

export const encodeRequest = (message: ModelInferRequest): Uint8Array => request.encode(message).finish();
export const decodeResponse = (bytes: Uint8Array): ModelInferResponse =>
  response.decode(bytes) as unknown as ModelInferResponse;
