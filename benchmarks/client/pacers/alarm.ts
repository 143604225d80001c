/** From here on the event loop is turned without a pause: Node's timers may be more than a millisecond late. */
const spinMs = 1.6;
/** A turn of the loop that does nothing takes microseconds; what takes longer was something else. */
const idleTurnMs = 0.05;

/**
 * Rings at a time of `performance.now()`, some microseconds late at most while the event loop is free. A timer covers the
 * bulk of the wait; in the last moment the loop spins, which replies can still interrupt.
 */
export class Alarm {
  readonly #ring: () => void;
  #at = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #spinning = false;
  #turnedAt = 0;
  /** Milliseconds spent spinning: the loop was active, but free. */
  waitedMs = 0;
  /** To be set when something was done in a turn of the loop, which then was not only waiting. */
  busyTurn = false;

  constructor(ring: () => void) {
    this.#ring = ring;
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

  #wait(): void {
    if (this.#at === Number.POSITIVE_INFINITY) return;
    const now = performance.now();
    const gap = this.#at - now;
    if (gap > 2 * spinMs) this.#timer = setTimeout(this.#elapsed, Math.min(Math.floor(gap - spinMs), 1 << 30));
    else {
      this.#spinning = true;
      this.#turnedAt = now;
      this.busyTurn = false;
      setImmediate(this.#turn);
    }
  }

  readonly #elapsed = (): void => {
    this.#timer = undefined;
    this.#wait();
  };

  readonly #turn = (): void => {
    const now = performance.now();
    if (!this.busyTurn) this.waitedMs += Math.min(now - this.#turnedAt, idleTurnMs);
    if (now >= this.#at) {
      this.#spinning = false;
      this.#at = Number.POSITIVE_INFINITY;
      this.#ring();
    } else if (this.#at - now > 2 * spinMs) {
      this.#spinning = false;
      this.#wait();
    } else {
      this.#turnedAt = now;
      this.busyTurn = false;
      setImmediate(this.#turn);
    }
  };
}
