import type { Target } from "../../spec.ts";
import { type HttpMethod, httpProtocol } from "./http.ts";
import type { Protocol, Tls } from "./protocol.ts";
import { tensorFromJson } from "./seldon-proto.ts";
import { onlyFile, type SeldonData, type SeldonStatus, seldonAnswers } from "./seldon-reply.ts";
import { batchData, batchShape, jsonNumbers } from "./tensor.ts";
import { jsonObject, shown } from "./untyped.ts";

/** Seldon Core v1 over REST, with the message in its JSON form. */
export function seldonRestMethod({ output }: Target): HttpMethod {
  return {
    path: "/api/v1.0/predictions",
    encode(batch) {
      const message =
        batch[0]!.datatype === "BYTES"
          ? { binData: onlyFile(batch, "seldon-rest").toString("base64") }
          : { data: { tensor: { shape: batchShape(batch), values: jsonNumbers(batchData(batch)) } } };
      return { body: Buffer.from(JSON.stringify(message)) };
    },
    answers(body, count) {
      const message = jsonObject(body);
      return seldonAnswers(statusOf(message.status), held(message), output, count);
    },
  };
}

export const seldonRest = (target: Target, tls: Tls | undefined): Protocol =>
  httpProtocol(target, tls, seldonRestMethod(target));

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** The flag comes by its name or by its number. */
function statusOf(status: unknown): SeldonStatus | undefined {
  if (!isObject(status)) return undefined;
  return { ...status, failed: status.status === "FAILURE" || status.status === 1 };
}

function held({ data, strData, jsonData }: Record<string, unknown>): SeldonData | undefined {
  if (isObject(data)) {
    const { tensor, ndarray, tftensor } = data;
    if (isObject(tensor)) return { tensor: numberList(tensor.values) };
    if (ndarray !== undefined) return { ndarray };
    if (isObject(tftensor)) return { tftensor: tensorFromJson(tftensor) };
  }
  if (typeof strData === "string") return { text: strData };
  return jsonData === undefined ? undefined : { json: jsonData };
}

function numberList(values: unknown): number[] {
  if (!Array.isArray(values) || !values.every((value) => typeof value === "number"))
    throw new Error(`data.tensor.values is not a list of numbers: ${shown(values)}`);
  return values;
}
