import { deflateRawSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../base/sizes.ts";
import { inflateBundle } from "./inflate-bundle.ts";

const limits = { inflatedBytesMax: 4 * MiB, inflationRatioMax: 200 };
const member = gzipSync("content of a bundle");

function refusal(bytes: Uint8Array): string {
  try {
    inflateBundle(bytes, limits);
  } catch (error) {
    expect(error).toMatchObject({ name: "BundleRefused", stage: "container" });
    return (error as Error).message;
  }
  return "accepted";
}

describe("inflateBundle()", () => {
  it("refuses what is not gzip, by name", () => {
    expect(refusal(Buffer.from("PK\u0003\u0004 a zip file, say, of some length"))).toMatch(
      "not gzip",
    );
  });

  it("refuses every truncation", () => {
    for (let length = 0; length < member.length; length++) {
      expect(refusal(member.subarray(0, length))).toMatch(/ends early|damaged/);
    }
  });

  it("refuses a second member, which Node's own gunzip would append", () => {
    expect(refusal(Buffer.concat([member, gzipSync("more")]))).toMatch("follow the end");
  });

  it("refuses bytes after the end, which Node's own gunzip would ignore", () => {
    expect(refusal(Buffer.concat([member, Buffer.from("x")]))).toMatch("1 bytes follow the end");
  });

  it("refuses a wrong checksum and a wrong length", () => {
    const checksum = Buffer.from(member);
    checksum[member.length - 8]! ^= 1;
    expect(refusal(checksum)).toMatch("checksum is wrong");
    const length = Buffer.from(member);
    length[member.length - 4]! ^= 1;
    expect(refusal(length)).toMatch("length is wrong");
  });

  it("stops inflating at the limit of size", () => {
    const random = Buffer.from(Array.from({ length: 64 * KiB }, (_, i) => (i * 7919) % 251));
    const bytes = gzipSync(Buffer.concat(Array(65).fill(random)), { level: 0 });
    expect(refusal(bytes)).toMatch("inflated_bytes_max");
  });

  it("stops inflating at the limit of the ratio", () => {
    expect(refusal(gzipSync(Buffer.alloc(3 * MiB)))).toMatch("200 times (inflation_ratio_max)");
  });

  it("lets a small file of padding inflate by more than the ratio", () => {
    expect(inflateBundle(gzipSync(Buffer.alloc(MiB - 1)), limits).length).toBe(MiB - 1);
  });

  it("passes over a name, a comment, an extra field and a header checksum", () => {
    const flags = 0x02 | 0x04 | 0x08 | 0x10;
    const header = Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3, 2, 0, 9, 9]);
    const body = deflateRawSync("content of a bundle");
    const names = Buffer.from("name\0comment\0hc");
    const bytes = Buffer.concat([header, names, body, member.subarray(-8)]);
    expect(inflateBundle(bytes, limits).toString()).toBe("content of a bundle");
  });

  it("gives back whatever was compressed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4 * KiB }), fc.nat(3), (bytes, repeats) => {
        const content = Buffer.concat(Array(1 + repeats * 64).fill(bytes));
        expect(inflateBundle(gzipSync(content, { level: 1 }), limits).equals(content)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
