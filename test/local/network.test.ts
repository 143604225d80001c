import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linkOf, MAX_NODES, networkOf, overlap } from "../../local/cluster/network.ts";

const slot = fc.integer({ min: 0, max: 255 });
const links = (n: number) => Array.from({ length: MAX_NODES }, (_, index) => linkOf(networkOf(n), index));

describe("the addresses of an instance", () => {
  it("lie in its own block, and no two of its ranges overlap", () => {
    fc.assert(
      fc.property(slot, (n) => {
        const { block, serviceRange, apiServiceAddress, dnsAddress } = networkOf(n);
        const parts = [
          serviceRange,
          ...links(n).flatMap(({ parentAddress, podRange }) => [`${parentAddress}/30`, podRange]),
        ];
        for (const part of parts) expect(overlap(part, block)).toBe(true);
        for (const a of parts) for (const b of parts) expect(overlap(a, b)).toBe(a === b);
        for (const address of [apiServiceAddress, dnsAddress]) expect(overlap(address, serviceRange)).toBe(true);
      }),
    );
  });

  it("give every link two ends, and a way to all that lies behind it", () => {
    fc.assert(
      fc.property(slot, (n) => {
        for (const [index, { name, address, parentAddress, podRange, behind }] of links(n).entries()) {
          expect(overlap(address, `${parentAddress}/30`)).toBe(true);
          expect(address).not.toBe(parentAddress);
          expect(overlap(podRange, behind)).toBe(true);
          expect(behind).toBe(index === 0 ? networkOf(n).block : podRange); // the others are reached through the first
          expect(name.length).toBeLessThanOrEqual(15);
        }
        expect(new Set(links(n).map(({ name }) => name)).size).toBe(MAX_NODES);
      }),
    );
  });

  it("of two instances never overlap, nor do their link names", () => {
    fc.assert(
      fc.property(slot, slot, (a, b) => {
        fc.pre(a !== b);
        expect(overlap(networkOf(a).block, networkOf(b).block)).toBe(false);
        expect(links(a)[0].name).not.toBe(links(b)[0].name);
      }),
    );
  });
});

describe("overlap", () => {
  it.each([
    ["10.0.0.0/8", "10.213.4.0/22", true],
    ["10.213.4.9", "10.213.4.0/22", true],
    ["10.213.8.0/22", "10.213.4.0/22", false],
    ["192.168.0.0/16", "10.213.4.0/22", false],
    ["10.213.7.255", "10.213.4.0/22", true],
  ])("of %s and %s is %s", (a, b, expected) => {
    expect(overlap(a, b)).toBe(expected);
    expect(overlap(b, a)).toBe(expected);
  });
});
