import { Sleeper } from "./sleeper.ts";

/** Shorter waits are spent turning the event loop: to sleep and to be woken takes about as long. */
const spinMs = 0.15;
/** The same without a sleeper: Node's timers may be more than a millisecond late. */
const timerSpinMs = 1.6;
/** A turn of the loop that does nothing takes microseconds; what takes longer was something else. */
const idleTurnMs = 0.05;

/**
 * Rings at a time of `performance.now()`, some tens of microseconds late while the event loop is free. It never keeps the
 * event loop from replies.
 */
export class Alarm {
  readonly #ring: () => void;
  readonly #sleeper: Sleeper;
  #at = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #spinning = false;
  #turnedAt = 0;
  /** Milliseconds spent turning the loop: it was active, but free. */
  waitedMs = 0;
  /** To be set when something was done in a turn of the loop, which then was not only waiting. */
  busyTurn = false;

  constructor(ring: () => void) {
    this.#ring = ring;
    this.#sleeper = new Sleeper(() => this.#elapsed());
  }

  /** Rings at `at`, and no longer at the time set before. Infinity: not at all. */
  set(at: number): void {
    if (at === this.#at) return;
    this.#at = at;
    if (this.#spinning) return;
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#wait();
  }

  /** It never rings again, and nothing of it stays. */
  end(): void {
    this.set(Number.POSITIVE_INFINITY);
    this.#sleeper.end();
  }

  #wait(): void {
    if (this.#at === Number.POSITIVE_INFINITY) return;
    const now = performance.now();
    const gap = this.#at - now;
    const { up } = this.#sleeper;
    if (up && gap > spinMs) this.#sleeper.set(this.#at);
    else if (!up && gap > 2 * timerSpinMs)
      this.#timer = setTimeout(this.#elapsed, Math.min(Math.floor(gap - timerSpinMs), 1 << 30));
    else {
      this.#spinning = true;
      this.#turnedAt = now;
      this.busyTurn = false;
      setImmediate(this.#turn);
    }
  }

  readonly #elapsed = (): void => {
    this.#timer = undefined;
    if (this.#spinning) return;
    if (performance.now() >= this.#at) this.#rings();
    else this.#wait();
  };

  readonly #turn = (): void => {
    const now = performance.now();
    if (!this.busyTurn) this.waitedMs += Math.min(now - this.#turnedAt, idleTurnMs);
    const gap = this.#at - now;
    if (gap <= 0) this.#rings();
    else if (gap > 2 * timerSpinMs || (gap > spinMs && this.#sleeper.up)) {
      this.#spinning = false;
      this.#wait();
    } else {
      this.#turnedAt = now;
      this.busyTurn = false;
      setImmediate(this.#turn);
    }
  };

  #rings(): void {
    this.#spinning = false;
    this.#at = Number.POSITIVE_INFINITY;
    this.#ring();
  }
}
