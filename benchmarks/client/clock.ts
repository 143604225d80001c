import type { Part } from "./part.ts";

/** Milliseconds since the epoch, with fractions, by a clock that nobody sets while this process runs. */
export const now = (): number => performance.timeOrigin + performance.now();

/** Exact in a double beside any time of this century, so that shifting a time there and back gives the same time. */
const grain = 1 / 1024;

const exchanges = 16;

/**
 * How far another clock is ahead of this one, in milliseconds: of several exchanges the one that took the least time says it
 * best, because its answer can be off by at most half of that time.
 *
 * @param ask asks for the other clock's time
 */
export async function measureOffset(ask: () => Promise<number>, clock: () => number = now): Promise<number> {
  let best = { took: Number.POSITIVE_INFINITY, offset: 0 };
  for (let i = 0; i < exchanges; i++) {
    const sent = clock();
    const theirs = await ask();
    const took = clock() - sent;
    if (took < best.took) best = { took, offset: theirs - (sent + took / 2) };
  }
  return Math.round(best.offset / grain) * grain;
}

/** A part measured by a clock that is `offsetMs` ahead of the coordinator's, as the coordinator's clock has it. */
export function toCoordinatorTime(part: Part, offsetMs: number): Part {
  return {
    ...part,
    from: part.from - offsetMs,
    until: part.until - offsetMs,
    endedAt: part.endedAt - offsetMs,
    segments: part.segments.map((segment) => ({
      ...segment,
      from: segment.from - offsetMs,
      until: segment.until - offsetMs,
    })),
    client: { ...part.client, clockOffsetMs: offsetMs },
  };
}
