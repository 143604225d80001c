import fc from "fast-check";
import { expect, test } from "vitest";
import { measureOffset, now, toCoordinatorTime } from "../../../benchmarks/client/clock.ts";
import { lostPart } from "../../../benchmarks/client/lostPart.ts";

test("is off by at most half of the quickest exchange, whatever the network does", async () => {
  const exchange = fc.record({
    there: fc.double({ min: 0, max: 50, noNaN: true }),
    back: fc.double({ min: 0, max: 50, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.double({ min: -1e7, max: 1e7, noNaN: true }),
      fc.array(exchange, { minLength: 1, maxLength: 16 }),
      async (ahead, exchanges) => {
        let time = 1e6;
        let n = 0;
        const ask = async () => {
          const { there, back } = exchanges[n++ % exchanges.length]!;
          const theirs = time + there + ahead;
          time += there + back;
          return theirs;
        };
        const offset = await measureOffset(ask, () => time);
        const quickest = Math.min(...exchanges.map(({ there, back }) => there + back));
        expect(Math.abs(offset - ahead)).toBeLessThanOrEqual(quickest / 2 + 1 / 1024);
      },
    ),
  );
});

test("shifts times there and back to exactly what they were, so that parts of several pods begin at the same time", async () => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: -1e9, max: 1e9, noNaN: true }), fc.nat(1e6), async (ahead, later) => {
      const offset = await measureOffset(
        async () => ahead,
        () => 0,
      );
      const startAt = Math.ceil(now()) + later;
      const part = lostPart({ name: "w", addresses: [], startAt: startAt + offset }, "");
      const shifted = toCoordinatorTime(part, offset);
      expect(shifted).toMatchObject({ from: startAt, until: startAt, endedAt: startAt });
      expect(shifted.client.clockOffsetMs).toBe(offset);
    }),
  );
});
