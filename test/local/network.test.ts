import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { networkOf, overlap } from "../../local/cluster/network.ts";

const slot = fc.integer({ min: 0, max: 255 });

describe("the addresses of an instance", () => {
  it("lie in its own block, and no two of its ranges overlap", () => {
    fc.assert(
      fc.property(slot, (n) => {
        const { block, hostAddress, nodeAddress, podRange, serviceRange, apiServiceAddress, dnsAddress } = networkOf(n);
        const parts = [`${hostAddress}/30`, podRange, serviceRange];
        for (const part of parts) expect(overlap(part, block)).toBe(true);
        for (const a of parts) for (const b of parts) expect(overlap(a, b)).toBe(a === b);
        expect(overlap(nodeAddress, `${hostAddress}/30`)).toBe(true);
        for (const address of [apiServiceAddress, dnsAddress]) expect(overlap(address, serviceRange)).toBe(true);
      }),
    );
  });

  it("of two instances never overlap, nor do their link names", () => {
    fc.assert(
      fc.property(slot, slot, (a, b) => {
        fc.pre(a !== b);
        expect(overlap(networkOf(a).block, networkOf(b).block)).toBe(false);
        expect(networkOf(a).link).not.toBe(networkOf(b).link);
        expect(networkOf(a).link.length).toBeLessThanOrEqual(15);
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
