import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type BundleSources,
  bundleOptions,
  sourceFolder,
} from "../../test/support/bundle-files.ts";
import { buildBundle } from "./build-bundle.ts";
import { type BundleContents, readBundle } from "./read-bundle.ts";

const sources: BundleSources = {
  "a.rego": 'package authz\n\ndecision := {"allow": data.things[input.x]}\n\ndeny if input.y\n',
  "data.json": '{"things":{"a":true,"n":12345678901234567890}}',
  ".manifest": '{"revision":"r1","roots":[""],"metadata":{"postern":{"arrays":true}}}',
};

let bundle: Buffer;
let original: BundleContents;

beforeAll(async () => {
  const source = await sourceFolder(sources);
  const output = join(tmpdir(), `postern-fuzz-${process.pid}.tar.gz`);
  await buildBundle({ source, output });
  bundle = await readFile(output);
  original = await readBundle(bundle, bundleOptions());
  await rm(source, { recursive: true });
  await rm(output);
});

/** Reads it whole, or refuses it as a bundle; anything else is a defect. */
async function tryRead(bytes: Uint8Array): Promise<BundleContents | undefined> {
  try {
    return await readBundle(bytes, bundleOptions());
  } catch (error) {
    expect(error).toMatchObject({ name: "BundleRefused", stage: expect.any(String) });
    return undefined;
  }
}

function flip(bytes: Buffer, bits: readonly number[]): Buffer {
  const flipped = Buffer.from(bytes);
  for (const bit of bits) flipped[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
  return flipped;
}

const bits = fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 4 });

describe("readBundle()", () => {
  it("refuses a bundle cut at any block", async () => {
    for (let length = 0; length < bundle.length; length += 512) {
      expect(await tryRead(bundle.subarray(0, length))).toBeUndefined();
    }
  });

  it("never reads anything but the original out of a damaged file", async () => {
    await fc.assert(
      fc.asyncProperty(bits, async (positions) => {
        const contents = await tryRead(flip(bundle, positions));
        // Bits of the gzip header, such as its time, carry nothing.
        if (contents !== undefined) expect(contents).toEqual(original);
      }),
      { numRuns: 300 },
    );
  });

  it("reads or refuses an archive with any bits of its headers flipped", async () => {
    const tar = gunzipSync(bundle);
    const wasmStart = tar.indexOf("policy.wasm\0");
    const headers = fc.array(
      fc.nat(8 * 4 * 1_024).map((bit) => (bit < 8 * 2_048 ? bit : wasmStart * 8 + (bit % 4_096))),
      { minLength: 1, maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(headers, fc.boolean(), async (positions, isChecksumMended) => {
        const flipped = flip(tar, positions);
        if (isChecksumMended) mendChecksum(flipped, 0);
        await tryRead(gzipSync(flipped, { level: 1 }));
      }),
      { numRuns: 200 },
    );
  });

  it("refuses members after its end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 40 }), async (more) => {
        expect(await tryRead(Buffer.concat([bundle, more]))).toBeUndefined();
        expect(await tryRead(Buffer.concat([bundle, gzipSync(more)]))).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });
});

/** So that the flipped header is looked at rather than refused for its checksum. */
function mendChecksum(tar: Buffer, start: number): void {
  const header = tar.subarray(start, start + 512);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}
