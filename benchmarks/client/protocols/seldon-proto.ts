import protobuf from "protobufjs";
import { decode, type ReceivedTensor, tensorText } from "./tensor-proto.ts";
import { shown } from "./untyped.ts";

/** JSON as a protocol buffer, of the public well-known types. */
const structText = `
syntax = "proto3";
package google.protobuf;

message Struct {
  map<string, Value> fields = 1;
}

message Value {
  oneof kind {
    int32 null_value = 1;
    double number_value = 2;
    string string_value = 3;
    bool bool_value = 4;
    Struct struct_value = 5;
    ListValue list_value = 6;
  }
}

message ListValue {
  repeated Value values = 1;
}
`;

/**
 * The part of Seldon's prediction messages that inference needs, in our own words with the public names and field numbers.
 * `tensor.proto` is `tensorText`; what is imported is known here already.
 */
export const seldonText = `
syntax = "proto3";
package seldon.protos;

import "google/protobuf/struct.proto";
import "tensor.proto";

message SeldonMessage {
  Status status = 1;
  oneof data_oneof {
    DefaultData data = 3;
    bytes binData = 4;
    string strData = 5;
    google.protobuf.Value jsonData = 6;
  }
}

message Status {
  enum StatusFlag {
    SUCCESS = 0;
    FAILURE = 1;
  }
  int32 code = 1;
  string info = 2;
  string reason = 3;
  StatusFlag status = 4;
}

message DefaultData {
  repeated string names = 1;
  oneof data_oneof {
    Tensor tensor = 2;
    google.protobuf.ListValue ndarray = 3;
    tensorflow.TensorProto tftensor = 4;
  }
}

message Tensor {
  repeated int32 shape = 1;
  repeated double values = 2;
}
`;

const root = new protobuf.Root();
for (const part of [tensorText, structText, seldonText]) protobuf.parse(part, root);
const message = root.lookupType("seldon.protos.SeldonMessage");
const tensor = root.lookupType("tensorflow.TensorProto");

export type SeldonRequest =
  | { binData: Uint8Array }
  | { data: { tensor: { shape: readonly number[]; values: readonly number[] } } };

/** A message as it is received. Of the fields beside `status`, the one that `dataOneof` names was sent. */
export interface SeldonMessage {
  status: { code: number; info: string; reason: string; status: number } | null;
  dataOneof?: "data" | "binData" | "strData" | "jsonData";
  data: DefaultData;
  strData: string;
  jsonData: Value;
}

interface DefaultData {
  dataOneof?: "tensor" | "ndarray" | "tftensor";
  tensor: { values: number[] };
  ndarray: ListValue;
  tftensor: ReceivedTensor;
}

interface ListValue {
  values: Value[];
}

interface Value {
  kind?: "nullValue" | "numberValue" | "stringValue" | "boolValue" | "structValue" | "listValue";
  numberValue: number;
  stringValue: string;
  boolValue: boolean;
  structValue: { fields: Record<string, Value> };
  listValue: ListValue;
}

export const encodeRequest = (request: SeldonRequest): Uint8Array => message.encode(request).finish();
export const decodeMessage = (bytes: Uint8Array): SeldonMessage => decode(message, bytes);

/**
 * TensorFlow's tensor from its public JSON form (names of types, base64).
 *
 * @throws Error if it is none
 */
export function tensorFromJson(json: object): ReceivedTensor {
  try {
    const message = tensor.fromObject(json as Record<string, unknown>); // takes over much that is of no type it has
    return tensor.decode(tensor.encode(message).finish()) as unknown as ReceivedTensor;
  } catch {
    throw new Error(`data.tftensor is not a tensor: ${shown(json)}`);
  }
}

/** The JSON that a Value stands for. */
export function jsonOf(value: Value): unknown {
  switch (value.kind) {
    case "numberValue":
    case "stringValue":
    case "boolValue":
      return value[value.kind];
    case "listValue":
      return listOf(value.listValue);
    case "structValue":
      return Object.fromEntries(Object.entries(value.structValue.fields).map(([name, field]) => [name, jsonOf(field)]));
    default:
      return null;
  }
}

export const listOf = (list: ListValue): unknown[] => list.values.map(jsonOf);
