import type { RateChange } from "./part.ts";

/** The changes that were made to the rate of a run, and who has to hear of them: its threads, or its worker pods. */
export class Rates {
  readonly #changes: RateChange[] = [];
  readonly #listeners = new Set<(change: RateChange) => void>();

  /** In order of time. */
  get changes(): readonly RateChange[] {
    return this.#changes;
  }

  push(change: RateChange): void {
    this.#changes.push(change);
    for (const listener of this.#listeners) listener(change);
  }

  /** Calls back at once with every change made so far, then with each new one; returns what ends it. */
  subscribe(listener: (change: RateChange) => void): () => void {
    this.#changes.forEach(listener);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
