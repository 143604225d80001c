import type { Target } from "../../spec.ts";
import { httpProtocol } from "./http.ts";
import type { Protocol, Tls } from "./protocol.ts";
import { batchShape } from "./tensor.ts";
import { inferPath, jsonAnswers, outputsOf } from "./v2-rest.ts";
import { answersInRaw, rawTensor, readOutput } from "./v2-tensor.ts";

const jsonLength = "inference-header-content-length";

/**
 * Open Inference Protocol V2 over HTTP/1.1 with the binary tensor data extension: JSON that describes the tensors, and
 * behind it their bytes; a header says how long the JSON is. Asked for the reply too.
 */
export function v2RestBinary(target: Target, tls: Tls | undefined): Protocol {
  return httpProtocol(target, tls, {
    path: inferPath(target.model),
    replyHeader: jsonLength,
    encode(batch) {
      const raw = rawTensor(batch);
      const shape = batchShape(batch);
      const { datatype } = batch[0]!;
      const inputs = [{ name: target.input, shape, datatype, parameters: { binary_data_size: raw.length } }];
      const outputs = [{ name: target.output, parameters: { binary_data: true } }];
      const json = Buffer.from(JSON.stringify({ inputs, outputs }));
      return {
        body: Buffer.concat([json, raw]),
        headers: { "content-type": "application/octet-stream", [jsonLength]: String(json.length) },
      };
    },
    answers(body, count, header) {
      const length = header === undefined ? body.length : Number(header);
      if (!Number.isInteger(length) || length < 0 || length > body.length)
        throw new Error(`the header ${jsonLength} is "${header}", but the reply has ${body.length} bytes`);
      const outputs = outputsOf(body.subarray(0, length));
      return (
        readOutput(outputs, target.output, ({ datatype, parameters }, index) => {
          const size = parameters?.binary_data_size;
          if (size === undefined) return undefined; // a server without the extension answers in JSON
          let start = length;
          for (const output of outputs.slice(0, index)) start += sizeOf(output?.parameters?.binary_data_size ?? 0);
          const end = start + sizeOf(size);
          if (end > body.length) throw new Error("its data are cut off");
          return answersInRaw(datatype, body.subarray(start, end), count);
        }) ?? jsonAnswers(outputs, target.output, count)
      );
    },
  });
}

function sizeOf(value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 0) throw new Error("binary_data_size is not a size");
  return value as number;
}
