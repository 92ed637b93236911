import { readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import { KiB, MiB } from "../../src/base/sizes.ts";
import { type TarEntry, tarOf } from "./bundle-files.ts";
import { projectRoot } from "./source-files.ts";

/** The bundle of `platform` that ships. */
export const goodBundle = readFileSync(join(projectRoot, "bundles/platform.tar.gz"));

/** What is inside of it. */
export const goodTar = gunzipSync(goodBundle);

/** Bytes of zero that end a tar. */
export const tarEndBytes = 1024;
const GZIP_HEADER_BYTES = 10;

/** The good bundle with entries before its own, so that nothing else is wrong with it. */
export async function withEntries(...entries: readonly TarEntry[]): Promise<Buffer> {
  const added = (await tarOf(entries)).subarray(0, -tarEndBytes);
  return gzipSync(Buffer.concat([added, goodTar]));
}

/** The good bundle with every `from` replaced by as many bytes, so that its headers hold. */
export function edited(from: string, to: string): Buffer {
  const text = goodTar.toString("latin1");
  if (!text.includes(from) || from.length !== to.length) {
    throw new Error(`${from} can't become ${to}`);
  }
  return gzipSync(Buffer.from(text.replaceAll(from, to), "latin1"));
}

/** A copy with one bit changed. */
export function flipped(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[offset]! ^= 1;
  return copy;
}

/** Inflates to more than 256 MiB, but no more than 200 times. */
export function patientBomb(): Buffer {
  const part = Buffer.alloc(MiB);
  // What is compressed already keeps the ratio down.
  goodBundle.copy(part, 0, 0, 8 * KiB);
  // After a full flush a piece refers to nothing before it, and so can be repeated.
  const piece = deflateRawSync(part, { finishFlush: constants.Z_FULL_FLUSH });
  const header = goodBundle.subarray(0, GZIP_HEADER_BYTES);
  return Buffer.concat([header, ...new Array<Buffer>(257).fill(piece)]);
}
