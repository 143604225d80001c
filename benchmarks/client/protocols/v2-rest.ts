import type { Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";
import { httpProtocol } from "./http.ts";
import type { Protocol, Tls } from "./protocol.ts";
import { batchShape, jsonNumbers } from "./tensor.ts";
import { answersIn, readOutput } from "./v2-tensor.ts";

/** Path of inference with a model. */
export const inferPath = (model: string): string => `/v2/models/${encodeURIComponent(model)}/infer`;

/**
 * Open Inference Protocol V2 over HTTP/1.1; tensors as JSON. An element of BYTES is a JSON string; JSON has no bytes, so one
 * that is not text goes as base64, which the tensor's `content_type` says, and the model has to take it as such.
 */
export function v2Rest(target: Target, tls: Tls | undefined): Protocol {
  return httpProtocol(target, tls, {
    path: inferPath(target.model),
    encode(batch) {
      const { datatype } = batch[0]!;
      const tensor = { name: target.input, shape: batchShape(batch), datatype, ...jsonData(batch) };
      return { body: Buffer.from(JSON.stringify({ inputs: [tensor], outputs: [{ name: target.output }] })) };
    },
    answers: (body, count) => jsonAnswers(outputsOf(body), target.output, count),
  });
}

function jsonData(batch: readonly Input[]): { data: (number | string)[]; parameters?: object } {
  if (batch[0]!.datatype === "FP32") return { data: batch.flatMap(({ data }) => jsonNumbers(data)) };
  const texts = batch.map(({ data }) => data.toString());
  if (texts.every((text, i) => batch[i]!.data.equals(Buffer.from(text)))) return { data: texts };
  return { data: batch.map(({ data }) => data.toString("base64")), parameters: { content_type: "base64" } };
}

export interface JsonOutput {
  readonly name?: unknown;
  readonly datatype?: unknown;
  readonly data?: unknown;
  readonly parameters?: { readonly binary_data_size?: unknown };
}

/** The outputs in a reply's JSON. */
export function outputsOf(json: Buffer): JsonOutput[] {
  const outputs = (JSON.parse(json.toString()) as { outputs?: unknown } | null)?.outputs;
  if (!Array.isArray(outputs)) throw new Error("no list of outputs");
  return outputs;
}

export const jsonAnswers = (outputs: readonly JsonOutput[], name: string, count: number): (number | string)[] =>
  readOutput(outputs, name, ({ datatype, data }) => {
    if (!Array.isArray(data)) throw new Error("it has no data");
    const values: unknown[] = data.flat(Number.POSITIVE_INFINITY); // servers may nest them as the shape says
    const type = datatype === "BYTES" ? "string" : "number";
    if (values.some((value) => typeof value !== type)) throw new Error(`its data are not all ${type}s`);
    return answersIn(datatype, values, count);
  });
