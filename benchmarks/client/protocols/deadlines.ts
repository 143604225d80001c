/** Something that must end until a time of the clock of `performance.now()`. */
export interface Due {
  readonly deadline: number;
}

/**
 * The requests under way of one connection. All of them have the same time limit, so the oldest is due first, and one timer
 * for the oldest serves all: it fires about once per time limit, however many requests there were in between.
 */
export class Deadlines<T extends Due> {
  readonly #under = new Set<T>();
  readonly #expire: (item: T) => void;
  readonly #fire: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param expire called for each item that is late; it has been removed then */
  constructor(expire: (item: T) => void) {
    this.#expire = expire;
    this.#fire = () => {
      this.#timer = undefined;
      const now = performance.now();
      for (const item of this.#under) {
        if (item.deadline > now) {
          this.#arm(item.deadline - now);
          return;
        }
        this.#under.delete(item);
        this.#expire(item);
      }
    };
  }

  get size(): number {
    return this.#under.size;
  }

  add(item: T, timeoutMs: number): void {
    this.#under.add(item);
    if (this.#timer === undefined) this.#arm(timeoutMs);
  }

  remove(item: T): boolean {
    return this.#under.delete(item);
  }

  /** All of them, oldest first; they are removed. */
  drain(): T[] {
    const items = [...this.#under];
    this.#under.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return items;
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(this.#fire, Math.max(1, Math.ceil(ms)));
  }
}
