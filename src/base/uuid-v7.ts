import { randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";

const POOL_BYTES = 4096;
const RANDOM_BYTES = 10;

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

/**
 * Makes a generator of UUIDv7 (RFC 9562 §5.7): 48 bits of `clock.wallMs`, then 74 random bits.
 * Random bytes are drawn 4 KiB at a time: one system call per 409 ids instead of one per id.
 */
export function createUuidV7(clock: Clock): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let offset = POOL_BYTES;
  return () => {
    if (offset + RANDOM_BYTES > POOL_BYTES) {
      randomFillSync(pool);
      offset = 0;
    }
    const hex = (index: number): string => HEX[pool[offset + index]!]!;
    const time = clock.wallMs().toString(16).padStart(12, "0");
    const version = HEX[(pool[offset]! & 0x0f) | 0x70]!;
    const variant = HEX[(pool[offset + 2]! & 0x3f) | 0x80]!;
    const id =
      `${time.slice(0, 8)}-${time.slice(8)}-${version}${hex(1)}-${variant}${hex(3)}-` +
      `${hex(4)}${hex(5)}${hex(6)}${hex(7)}${hex(8)}${hex(9)}`;
    offset += RANDOM_BYTES;
    return id;
  };
}
