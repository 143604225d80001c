import { createHash } from "node:crypto";
import type { OpenLoop } from "../../spec.ts";
import { seededRandom } from "../random.ts";

/** Part of a schedule in which the rate moves in a line. Milliseconds from the start of the measured interval; requests per second. */
export interface Piece {
  readonly from: number;
  readonly until: number;
  readonly startRate: number;
  readonly endRate: number;
  /** It exists because the rate was changed while it ran. */
  readonly changed?: true;
}

/** The rate is another one from `at` (milliseconds from the start of the measured interval) to the end of the run. */
export interface Change {
  readonly at: number;
  readonly rate: number;
}

/** What a schedule is made of. Equal plans give equal due times, on any machine. */
export interface Plan {
  readonly arrivals: OpenLoop["arrivals"];
  readonly seed: number;
  readonly pieces: readonly Piece[];
}

/** The stages one after the other. */
export function stagePieces(stages: OpenLoop["stages"]): Piece[] {
  let from = 0;
  let before = 0;
  return stages.map(({ rate, durationSeconds, ramp }) => {
    const piece = { from, until: from + durationSeconds * 1000, startRate: ramp ? before : rate, endRate: rate };
    from = piece.until;
    before = rate;
    return piece;
  });
}

/** The pieces as they are once the rate was changed. A change before the first piece sets its rate from its beginning. */
export function applyChanges(pieces: readonly Piece[], changes: readonly Change[]): Piece[] {
  let result = [...pieces];
  for (const { at, rate } of changes) {
    const end = result.at(-1)!.until;
    if (at >= end) continue;
    const kept = result.filter((piece) => piece.from < at);
    const cut = kept.at(-1);
    if (cut && cut.until > at) kept[kept.length - 1] = { ...cut, until: at, endRate: rateAt(cut, at) };
    const from = Math.max(at, result[0]!.from);
    result = [...kept, { from, until: end, startRate: rate, endRate: rate, changed: true }];
  }
  return result;
}

/** Requests per second of a piece at a time within it. */
export function rateAt({ from, until, startRate, endRate }: Piece, at: number): number {
  if (startRate === endRate) return endRate; // also where `until` is infinite
  return startRate + ((endRate - startRate) * (at - from)) / (until - from);
}

/**
 * The due times of a plan, one after the other.
 *
 * Arrivals are drawn at rate 1 and stretched by the rates: the n-th one is due when the integral of the rate reaches the
 * n-th point of the unit process. So a changed rate moves what is due after the change and nothing before, and everyone
 * who hears of the change, however late, arrives at the same due times. They are whole microseconds, so that they can be
 * hashed and compared.
 */
export class Schedule {
  readonly #poisson: boolean;
  readonly #random: () => number;
  #pieces: readonly Piece[];
  /** Arrivals expected before each piece. */
  #before: number[] = [];
  #piece = 0;
  #mass: number;
  /** When the next arrival is due, milliseconds from the start of the measured interval; Infinity after the last. */
  next = 0;
  /** Number of the next arrival, from 0. */
  index = 0;

  constructor({ arrivals, seed, pieces }: Plan) {
    this.#poisson = arrivals === "poisson";
    this.#random = seededRandom(seed);
    this.#mass = this.#poisson ? this.#gap() : 0;
    this.#pieces = pieces;
    this.replace(pieces);
  }

  /** Goes on to the arrival after the next one. */
  advance(): void {
    this.index++;
    this.#mass += this.#poisson ? this.#gap() : 1;
    this.#locate();
  }

  /** Other rates from some time on. */
  replace(pieces: readonly Piece[]): void {
    this.#pieces = pieces;
    let sum = 0;
    this.#before = pieces.map((piece) => {
      const before = sum;
      sum += ((piece.startRate + piece.endRate) / 2) * ((piece.until - piece.from) / 1000);
      return before;
    });
    this.#piece = 0;
    this.#locate();
  }

  #gap(): number {
    return -Math.log(1 - this.#random());
  }

  #locate(): void {
    for (; this.#piece < this.#pieces.length; this.#piece++) {
      const piece = this.#pieces[this.#piece]!;
      const mass = Math.max(this.#mass - this.#before[this.#piece]!, 0);
      const { startRate: start, endRate: end } = piece;
      if (start === 0 && end === 0) continue;
      // The root of start*x + slope/2*x² = mass, in the form that keeps its digits.
      const slope = start === end ? 0 : (end - start) / ((piece.until - piece.from) / 1000);
      const root = start * start + 2 * slope * mass;
      const seconds = root < 0 ? Number.POSITIVE_INFINITY : mass === 0 ? 0 : (2 * mass) / (start + Math.sqrt(root));
      const due = Math.round(piece.from * 1000 + seconds * 1e6) / 1000;
      if (due < piece.until) {
        this.next = due;
        return;
      }
    }
    this.#piece = Math.max(this.#pieces.length - 1, 0);
    this.next = Number.POSITIVE_INFINITY;
  }
}

/** All due times of a plan, milliseconds from the start of the measured interval. */
export function* dueTimesOf(plan: Plan): Generator<number> {
  for (const schedule = new Schedule(plan); schedule.next < Number.POSITIVE_INFINITY; schedule.advance())
    yield schedule.next;
}

/**
 * Arrivals of each piece of a plan, and the SHA-256 of all due times (each as a little-endian 64-bit float of whole
 * microseconds): equal hashes, equal schedules.
 */
export function describe(plan: Plan): { perPiece: number[]; requests: number; hash: string } {
  const perPiece = plan.pieces.map(() => 0);
  const hash = createHash("sha256");
  const block = Buffer.alloc(8 * 4096);
  let used = 0;
  let requests = 0;
  let piece = 0;
  for (const due of dueTimesOf(plan)) {
    while (due >= plan.pieces[piece]!.until) piece++;
    perPiece[piece]!++;
    requests++;
    used = block.writeDoubleLE(Math.round(due * 1000), used);
    if (used === block.length) {
      hash.update(block);
      used = 0;
    }
  }
  return { perPiece, requests, hash: hash.update(block.subarray(0, used)).digest("hex") };
}
