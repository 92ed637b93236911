import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { notRegularFile, regularFileFlags } from "../base/regular-file.ts";
import { MiB } from "../base/sizes.ts";
import { BundleRefused } from "./bundle-refused.ts";

/** The bytes of a bundle file, and what they hash to. */
export interface FileContent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** SHA-256, hex. */
  readonly digest: string;
  /** Identity of the file that was read. */
  readonly sample: string;
}

const CHUNK_BYTES = MiB;

/** Tells one state of a file from another; a write, a rename or a swap changes it. */
export function sampleOf(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(":");
}

/**
 * Reads a file through one handle, so that what is hashed is what is used. `undefined` = it changed
 * meanwhile. Throws `BundleRefused`.
 */
export async function readWholeFile(
  path: string,
  bytesMax: number,
): Promise<FileContent | undefined> {
  const handle = await open(path, regularFileFlags);
  try {
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) throw new BundleRefused("read", `it ${notRegularFile}`);
    if (before.size > BigInt(bytesMax)) {
      throw new BundleRefused("read", `it is larger than ${bytesMax} bytes (compressed_bytes_max)`);
    }
    const bytes = new Uint8Array(Number(before.size));
    const digest = await fill(handle, bytes);
    const sample = sampleOf(before);
    if (digest === undefined || sampleOf(await handle.stat({ bigint: true })) !== sample) {
      return undefined;
    }
    return { bytes, digest, sample };
  } finally {
    await handle.close();
  }
}

/** In chunks, since hashing a large file in one go would hold up the thread. */
async function fill(handle: FileHandle, bytes: Uint8Array): Promise<string | undefined> {
  const hash = createHash("sha256");
  let offset = 0;
  while (offset < bytes.length) {
    const length = Math.min(CHUNK_BYTES, bytes.length - offset);
    const { bytesRead } = await handle.read(bytes, offset, length, offset);
    if (bytesRead === 0) return undefined;
    hash.update(bytes.subarray(offset, offset + bytesRead));
    offset += bytesRead;
  }
  return hash.digest("hex");
}
