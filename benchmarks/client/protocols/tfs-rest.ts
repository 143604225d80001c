import type { Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";
import { type HttpMethod, httpProtocol } from "./http.ts";
import type { Protocol, Tls } from "./protocol.ts";
import { batchData, batchShape, jsonNumbers } from "./tensor.ts";
import { defaultSignature } from "./tfs-grpc.ts";
import { jsonObject, shown, untyped } from "./untyped.ts";

/** TensorFlow Serving's Predict over REST, in the columnar format: that is the one in which a single tensor has a name. */
export function tfsRestMethod({ model, input, output, signature = defaultSignature }: Target): HttpMethod {
  return {
    path: `/v1/models/${encodeURIComponent(model)}:predict`,
    encode(batch) {
      const inputs = { [input]: batch[0]!.datatype === "BYTES" ? files(batch) : rows(batch) };
      return { body: Buffer.from(JSON.stringify({ signature_name: signature, inputs })) };
    },
    answers(body, count) {
      const reply = jsonObject(body);
      if (Object.hasOwn(reply, "outputs")) return untyped(column(reply.outputs, output), count);
      if (Array.isArray(reply.predictions))
        return untyped(
          reply.predictions.map((row) => column(row, output)),
          count,
        );
      throw new Error(`the reply has neither outputs nor predictions: ${shown(reply)}`);
    },
  };
}

export const tfsRest = (target: Target, tls: Tls | undefined): Protocol =>
  httpProtocol(target, tls, tfsRestMethod(target));

/** JSON has no bytes; this is how TensorFlow Serving writes them. */
const files = (batch: readonly Input[]) => batch.map(({ data }) => ({ b64: data.toString("base64") }));

const rows = (batch: readonly Input[]) => nested(jsonNumbers(batchData(batch)), batchShape(batch));

/** A flat list as lists in lists, the outermost of the first size. */
export function nested(values: readonly number[], [size, ...inner]: readonly number[]): unknown {
  if (size === undefined) return values[0];
  const length = values.length / size;
  return Array.from({ length: size }, (_, i) => nested(values.slice(i * length, (i + 1) * length), inner));
}

/** An output by its name. The server leaves the name away where the model has only one output. */
function column(outputs: unknown, name: string): unknown {
  if (typeof outputs !== "object" || outputs === null || Array.isArray(outputs) || "b64" in outputs) return outputs;
  if (!Object.hasOwn(outputs, name)) throw new Error(`no output "${name}" among [${Object.keys(outputs).join(", ")}]`);
  return (outputs as Record<string, unknown>)[name];
}
