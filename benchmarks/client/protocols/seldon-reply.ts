import { UserError } from "../../../error.ts";
import type { Input } from "../inputs.ts";
import { ReplyFault } from "./fault.ts";
import { type ReceivedTensor, tensorAnswers } from "./tensor-proto.ts";
import { numbers, shown, untyped } from "./untyped.ts";

/** What a SeldonMessage says, in whichever of its forms, however it came. At most one field is there. */
export type SeldonData =
  | { readonly tensor: ArrayLike<number> }
  | { readonly ndarray: unknown }
  | { readonly tftensor: ReceivedTensor }
  | { readonly text: string }
  | { readonly json: unknown };

/** The message's own report. */
export interface SeldonStatus {
  readonly failed: boolean;
  readonly code?: unknown;
  readonly info?: unknown;
  readonly reason?: unknown;
}

/**
 * The answers in a message.
 *
 * @param output name of the answer, where `jsonData` is an object
 * @throws ReplyFault if the message says that the prediction failed; Error if it does not hold `count` answers
 */
export function seldonAnswers(
  status: SeldonStatus | undefined,
  data: SeldonData | undefined,
  output: string,
  count: number,
): (number | string)[] {
  if (status?.failed) throw new ReplyFault("seldon FAILURE", failure(status));
  if (!data)
    throw new Error("the message holds none of data.tensor, data.ndarray, data.tftensor, strData and jsonData");
  if ("tensor" in data) return numbers(data.tensor, count);
  if ("ndarray" in data) return untyped(data.ndarray, count);
  if ("tftensor" in data) return tensorAnswers(data.tftensor, count);
  if ("text" in data) return untyped(data.text, count);
  return untyped(member(data.json, output), count);
}

function failure({ code, info, reason }: SeldonStatus): string {
  const said = [reason, info].filter((part) => typeof part === "string" && part !== "").join(": ");
  return `the server answered with status FAILURE${code ? ` (code ${code})` : ""}${said ? `: ${said.slice(0, 300)}` : ""}`;
}

function member(json: unknown, name: string): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  if (!Object.hasOwn(json, name)) throw new Error(`jsonData has no "${name}": ${shown(json)}`);
  return (json as Record<string, unknown>)[name];
}

/**
 * The file of a batch of one.
 *
 * @throws UserError for more: Seldon's messages have room for one
 */
export function onlyFile(batch: readonly Input[], protocol: string): Buffer {
  if (batch.length > 1)
    throw new UserError(
      `${protocol} cannot send ${batch.length} files in a request: a SeldonMessage holds one (binData). Set the batch to 1, or send FP32 tensors.`,
    );
  return batch[0]!.data;
}
