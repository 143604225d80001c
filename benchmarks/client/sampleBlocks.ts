import type { Batches } from "./batches.ts";
import type { Sample } from "./recorder.ts";

const maxSamples = 256;
const maxDelayMs = 100;

/** Hands on every request that has ended, some hundreds at a time, so that nobody has to keep them all. */
export class SampleBlocks {
  readonly #take: (samples: readonly Sample[]) => void;
  readonly #servers: readonly string[];
  readonly #names: readonly string[];
  #block: Sample[] = [];
  #since = 0;

  constructor(take: (samples: readonly Sample[]) => void, servers: readonly string[], batches: Batches) {
    this.#take = take;
    this.#servers = servers;
    this.#names = batches.inputs.map((batch) => batch.map(({ name }) => name).join(","));
  }

  /** Times are those of `performance.now()`. */
  add(
    dueAt: number,
    sentAt: number,
    at: number,
    server: number,
    message: number,
    measured: boolean,
    outcome: { answers: readonly (number | string)[]; wrong: number } | { kind: string },
  ): void {
    const { timeOrigin } = performance;
    if (this.#block.length === 0) this.#since = at;
    this.#block.push({
      dueAt: timeOrigin + dueAt,
      sentAt: timeOrigin + sentAt,
      endedAt: timeOrigin + at,
      server: this.#servers[server]!,
      input: this.#names[message]!,
      measured,
      ...("kind" in outcome
        ? { failure: outcome.kind }
        : {
            answer: outcome.answers.length === 1 ? outcome.answers[0]! : outcome.answers.join(","),
            right: outcome.wrong === 0,
          }),
    });
    if (this.#block.length >= maxSamples || at - this.#since >= maxDelayMs) this.flush();
  }

  flush(): void {
    const block = this.#block;
    this.#block = [];
    if (block.length) this.#take(block);
  }
}
