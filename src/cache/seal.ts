import { createHmac, timingSafeEqual } from "node:crypto";

/** Length of a seal in bytes. */
export const SEAL_BYTES = 16;

/** Seals what is kept in Redis, so that what comes back is what was written there, in its place. */
export interface Seal {
  /** 16 bytes over the place and the content; the place's length keeps the two apart. */
  of(place: string, content: Uint8Array | string): Buffer;
  /** Whether `seal` is that of the content in its place. */
  fits(seal: Uint8Array, place: string, content: Uint8Array | string): boolean;
}

/**
 * Seals with HMAC-SHA256, truncated. Without a key of the operator's, anyone can seal: it guards
 * then against damage and against values that were moved, not against who writes to Redis.
 */
export function createSeal(key: string | undefined): Seal {
  const secret = Buffer.from(key ?? "postern");
  const of = (place: string, content: Uint8Array | string): Buffer =>
    createHmac("sha256", secret)
      .update(`${Buffer.byteLength(place)}:${place}`)
      .update(content)
      .digest()
      .subarray(0, SEAL_BYTES);
  return {
    of,
    fits: (seal, place, content) =>
      seal.length === SEAL_BYTES && timingSafeEqual(seal, of(place, content)),
  };
}
