import { constants, crc32, inflateRawSync } from "node:zlib";
import { KiB, MiB } from "../base/sizes.ts";
import { BundleRefused } from "./bundle-refused.ts";
import type { BundleLimits } from "./options.ts";

const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
const DEFLATE = 8;
// RFC 1952 §2.3.1.
const FLAG_HEADER_CRC = 0x02;
const FLAG_EXTRA = 0x04;
const FLAG_NAME = 0x08;
const FLAG_COMMENT = 0x10;
const FLAGS_RESERVED = 0xe0;
/** Below this size the ratio says nothing: a tar of a few small files is mostly padding. */
const RATIO_FREE_BYTES = MiB;

/**
 * Decompresses exactly one gzip member (RFC 1952). Node's own gunzip would go on into appended
 * members and ignore bytes after them, and so hide what another reader of the file would see.
 */
export function inflateBundle(
  bytes: Uint8Array,
  limits: Pick<BundleLimits, "inflatedBytesMax" | "inflationRatioMax">,
): Buffer {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = file.subarray(headerLength(file));
  const { inflated, consumed } = inflate(body, limits);
  const trailer = body.subarray(consumed);
  if (trailer.length < TRAILER_BYTES) throw truncated();
  if (trailer.length > TRAILER_BYTES) {
    throw refused(`${trailer.length - TRAILER_BYTES} bytes follow the end of the gzip data`);
  }
  if (trailer.readUInt32LE(0) !== crc32(inflated)) throw refused("the gzip checksum is wrong");
  if (trailer.readUInt32LE(4) !== inflated.length) throw refused("the gzip length is wrong");
  return inflated;
}

function headerLength(file: Buffer): number {
  if (file.length < 3) throw truncated();
  if (file[0] !== 0x1f || file[1] !== 0x8b || file[2] !== DEFLATE) {
    throw refused("the file is not gzip");
  }
  if (file.length < HEADER_BYTES + TRAILER_BYTES) throw truncated();
  const flags = file[3]!;
  if ((flags & FLAGS_RESERVED) !== 0) throw refused("the gzip header has unknown flags");
  let offset = HEADER_BYTES;
  if (flags & FLAG_EXTRA) offset += 2 + file.readUInt16LE(offset);
  if (flags & FLAG_NAME) offset = afterZero(file, offset);
  if (flags & FLAG_COMMENT) offset = afterZero(file, offset);
  if (flags & FLAG_HEADER_CRC) offset += 2;
  if (offset > file.length) throw truncated();
  return offset;
}

function afterZero(file: Buffer, offset: number): number {
  const zero = file.indexOf(0, offset);
  if (zero < 0) throw truncated();
  return zero + 1;
}

function inflate(
  body: Buffer,
  limits: Pick<BundleLimits, "inflatedBytesMax" | "inflationRatioMax">,
): { inflated: Buffer; consumed: number } {
  const byRatio = Math.max(RATIO_FREE_BYTES, body.length * limits.inflationRatioMax);
  const maxOutputLength = Math.min(limits.inflatedBytesMax, byRatio);
  try {
    const result = inflateRawSync(body, {
      maxOutputLength,
      chunkSize: 256 * KiB,
      finishFlush: constants.Z_SYNC_FLUSH,
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    return { inflated: result.buffer, consumed: result.engine.bytesWritten };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw refused(
        maxOutputLength === limits.inflatedBytesMax
          ? `it inflates to more than ${maxOutputLength} bytes (inflated_bytes_max)`
          : `it inflates more than ${limits.inflationRatioMax} times (inflation_ratio_max)`,
      );
    }
    throw refused(`the gzip data is damaged: ${(error as Error).message}`);
  }
}

function truncated(): BundleRefused {
  return refused("the gzip data ends early");
}

function refused(message: string): BundleRefused {
  return new BundleRefused("container", message);
}
