import { UserError } from "../../error.ts";
import { drawOrder, type Input } from "./inputs.ts";
import type { Message, Protocol } from "./protocols/protocol.ts";

/** Batches of more than one input are encoded at most this many, and at most in this many bytes of tensor data. */
const maxBatches = 64;
const maxBytes = 256 << 20;
/** A server whose replies to equal requests differ this often has something in them that always differs. */
const maxDifferent = 8;

/**
 * All messages of a run, encoded before it, so that memory and cost per request do not depend on its length. Single inputs
 * have one message each. Of larger batches there are as many as it takes for every input to come equally often, but no more
 * than 64 or than hold 256 MiB of tensor data; their inputs are drawn with the seed.
 */
export class Batches {
  readonly messages: readonly Message[];
  readonly inputs: readonly (readonly Input[])[];
  readonly #protocol: Protocol;
  /** The last reply to each message that was read, and how many of its answers were wrong. */
  readonly #known: { reply: Buffer | undefined; wrong: number; different: number }[];

  constructor(protocol: Protocol, inputs: readonly Input[], size: number, seed: number) {
    if (inputs.length === 0) throw new UserError("There are no inputs to send.");
    this.#protocol = protocol;
    this.inputs = size === 1 ? inputs.map((input) => [input]) : draw(inputs, size, seed);
    this.messages = this.inputs.map((batch) => protocol.encode(batch));
    this.#known = this.inputs.map(() => ({ reply: undefined, wrong: 0, different: 0 }));
  }

  /**
   * How many answers to a message are not among the right ones of its inputs. A reply that equals the last one byte for byte
   * is not read again: its answers are the same.
   *
   * @throws Error if the reply cannot be read
   */
  wrongAnswers(message: number, reply: Buffer): number {
    const known = this.#known[message]!;
    if (known.reply?.equals(reply)) return known.wrong;
    const wrong = this.count(message, this.answers(message, reply));
    if (known.different < maxDifferent) {
      known.different++;
      known.reply = Buffer.from(reply); // a copy: the original lies in a large chunk of the socket
      known.wrong = wrong;
    } else known.reply = undefined;
    return wrong;
  }

  answers(message: number, reply: Buffer): (number | string)[] {
    return this.#protocol.answers(reply, this.inputs[message]!.length);
  }

  /** How many of the answers are not right. */
  count(message: number, answers: readonly (number | string)[]): number {
    const batch = this.inputs[message]!;
    let wrong = 0;
    for (let i = 0; i < batch.length; i++) if (!batch[i]!.labels.has(answers[i]!)) wrong++;
    return wrong;
  }
}

function draw(inputs: readonly Input[], size: number, seed: number): Input[][] {
  const bytes = inputs.reduce((largest, { data }) => Math.max(largest, data.length), 1) * size;
  const even = inputs.length / commonDivisor(inputs.length, size);
  const count = Math.max(Math.min(even, maxBatches, Math.floor(maxBytes / bytes)), 1);
  const next = drawOrder(inputs.length, seed);
  return Array.from({ length: count }, () => Array.from({ length: size }, () => inputs[next()]!));
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));
