import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { networkContains, parseAddress, parseNetwork } from "./ip-network.ts";

function contains(network: string, address: string): boolean {
  return networkContains(parseNetwork(network)!, parseAddress(address)!);
}

describe("parseAddress()", () => {
  it.each([
    "",
    "10.0.0",
    "10.0.0.0.0",
    "010.0.0.1",
    "0x0a.0.0.1",
    "167772161",
    "10.0.0.256",
    "10.0.0.1 ",
    " 10.0.0.1",
    "10.0.0.1\n",
    "10.0.0.1:80",
    "1::2::3",
    "::ffff:010.0.0.1",
    "fe80::1%eth0",
    "[::1]",
    "localhost",
    "١٠.0.0.1",
  ])("refuses %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it("takes a v4-mapped address for the v4 address", () => {
    expect(parseAddress("::ffff:10.1.2.3")).toEqual(parseAddress("10.1.2.3"));
    expect(parseAddress("0:0:0:0:0:FFFF:0a01:0203")).toEqual(parseAddress("10.1.2.3"));
  });

  it("reads every way of writing a v6 address", () => {
    const address = parseAddress("2001:db8:0:0:0:0:0:1");
    expect(parseAddress("2001:DB8::1")).toEqual(address);
    expect(parseAddress("2001:db8::0.0.0.1")).toEqual(address);
    expect(parseAddress("::")?.groups).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(parseAddress("1::")?.groups).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("parseNetwork()", () => {
  it.each([
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/1e1",
    "10.0.0.0/255.0.0.0",
    "::/129",
    "::ffff:10.0.0.0/95",
    "/8",
    "10/8",
  ])("refuses %j", (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});

describe("networkContains()", () => {
  it("ends exactly at the edges of a network", () => {
    expect(contains("10.1.16.0/20", "10.1.16.0")).toBe(true);
    expect(contains("10.1.16.0/20", "10.1.31.255")).toBe(true);
    expect(contains("10.1.16.0/20", "10.1.32.0")).toBe(false);
    expect(contains("10.1.16.0/20", "10.1.15.255")).toBe(false);
  });

  it("ignores host bits of a network", () => {
    expect(contains("10.1.2.3/8", "10.200.0.1")).toBe(true);
  });

  it("takes an address alone for itself", () => {
    expect(contains("10.1.2.3", "10.1.2.3")).toBe(true);
    expect(contains("10.1.2.3", "10.1.2.4")).toBe(false);
  });

  it("never mixes the families", () => {
    expect(contains("::/0", "10.1.2.3")).toBe(false);
    expect(contains("0.0.0.0/0", "::1")).toBe(false);
    expect(contains("0.0.0.0/0", "::ffff:10.1.2.3")).toBe(true);
    expect(contains("::ffff:10.0.0.0/104", "10.1.2.3")).toBe(true);
  });

  it("agrees with Node's own block list", () => {
    const v4 = { address: fc.ipV4(), bits: 32, family: "ipv4" } as const;
    const v6 = { address: fc.ipV6(), bits: 128, family: "ipv6" } as const;
    for (const { address, bits, family } of [v4, v6]) {
      const networks = fc.record({ base: address, prefix: fc.integer({ min: 0, max: bits }) });
      fc.assert(
        fc.property(networks, address, ({ base, prefix }, asked) => {
          fc.pre(parseAddress(base)?.family === (bits === 32 ? 4 : 6));
          fc.pre(parseAddress(asked)?.family === (bits === 32 ? 4 : 6));
          const list = new BlockList();
          list.addSubnet(base, prefix, family);
          expect(contains(`${base}/${prefix}`, asked)).toBe(list.check(asked, family));
          expect(contains(`${base}/${prefix}`, base)).toBe(true);
        }),
      );
    }
  });
});
