import type protobuf from "protobufjs";
import type { Input } from "../inputs.ts";
import { float32, float64, indexes, int32, int64, names } from "./answers.ts";
import { batchData, batchShape } from "./tensor.ts";
import { numbers } from "./untyped.ts";

/**
 * The part of TensorFlow's tensor message that inference needs, in our own words with the public names and field numbers.
 * Unknown fields of a reply are skipped.
 */
export const tensorText = `
syntax = "proto3";
package tensorflow;

enum DataType {
  DT_INVALID = 0;
  DT_FLOAT = 1;
  DT_DOUBLE = 2;
  DT_INT32 = 3;
  DT_UINT8 = 4;
  DT_INT16 = 5;
  DT_INT8 = 6;
  DT_STRING = 7;
  DT_INT64 = 9;
}

message TensorShapeProto {
  message Dim {
    int64 size = 1;
    string name = 2;
  }
  repeated Dim dim = 2;
}

message TensorProto {
  DataType dtype = 1;
  TensorShapeProto tensor_shape = 2;
  bytes tensor_content = 4;
  repeated float float_val = 5;
  repeated double double_val = 6;
  repeated int32 int_val = 7;
  repeated bytes string_val = 8;
  repeated int64 int64_val = 10;
}
`;

const dtype = { float: 1, double: 2, int32: 3, uint8: 4, int16: 5, int8: 6, string: 7, int64: 9 } as const;

/** A tensor as it is sent. */
export interface TensorProto {
  dtype: number;
  tensorShape: { dim: { size: number }[] };
  tensorContent?: Uint8Array;
  stringVal?: Uint8Array[];
}

/** A tensor as it is received: fields that are absent are empty. 64-bit integers are objects of their own. */
export interface ReceivedTensor {
  dtype: number;
  tensorContent: Uint8Array;
  floatVal: number[];
  doubleVal: number[];
  intVal: number[];
  stringVal: Uint8Array[];
  int64Val: (number | { toString(): string })[];
}

/** A batch as one tensor: raw elements for FP32, whole files for BYTES. */
export function batchTensor(batch: readonly Input[]): TensorProto {
  const tensorShape = { dim: batchShape(batch).map((size) => ({ size })) };
  return batch[0]!.datatype === "BYTES"
    ? { dtype: dtype.string, tensorShape, stringVal: batch.map(({ data }) => data) }
    : { dtype: dtype.float, tensorShape, tensorContent: batchData(batch) };
}

/**
 * The answers in an output tensor, by its type: scores (or one class number) per input, class numbers, or class names.
 *
 * @throws Error if it is of another type, or does not hold `count` answers
 */
export function tensorAnswers(tensor: ReceivedTensor, count: number): (number | string)[] {
  const { tensorContent: raw } = tensor;
  switch (tensor.dtype) {
    case dtype.float:
      return numbers(raw.length ? float32(raw) : tensor.floatVal, count);
    case dtype.double:
      return numbers(raw.length ? float64(raw) : tensor.doubleVal, count);
    case dtype.int32:
      return indexes(raw.length ? int32(raw) : tensor.intVal, count);
    case dtype.int64:
      return indexes(raw.length ? int64(raw) : tensor.int64Val.map((value) => Number(value.toString())), count);
    case dtype.uint8:
      return indexes(raw.length ? raw : tensor.intVal, count);
    case dtype.int8:
      return indexes(raw.length ? new Int8Array(raw) : tensor.intVal, count);
    case dtype.int16:
      return indexes(raw.length ? int16(raw) : tensor.intVal, count);
    case dtype.string:
      if (raw.length) throw new Error("the texts of the output are packed into tensor_content, which cannot be read");
      return names(tensor.stringVal, count);
    default:
      throw new Error(`the output's type is number ${tensor.dtype} of TensorFlow's types, which holds no answer`);
  }
}

function int16(raw: Uint8Array): number[] {
  if (raw.length % 2) throw new Error(`${raw.length} bytes are not a multiple of 2`);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  return Array.from({ length: raw.length / 2 }, (_, i) => view.getInt16(2 * i, true));
}

/**
 * Reads a message.
 *
 * @throws Error in words of the user if the bytes are no such message
 */
export function decode<T>(type: protobuf.Type, bytes: Uint8Array): T {
  try {
    return type.decode(bytes) as unknown as T;
  } catch (error) {
    throw new Error(`the reply is not a ${type.name}: ${(error as Error).message}`);
  }
}
