/** Longest text that is looked up; names and most ids are shorter. */
export const SHORT_TEXT_BYTES_MAX = 48;
const SLOTS = 1_024;

// Direct-mapped: a text takes the place of another with the same hash, so that the table never
// grows and hostile texts cost what texts cost without it.
const slots: string[] = new Array(SLOTS).fill("");

/**
 * The text of `bytes[start, end)` if it is ASCII, else `undefined`. Application names, property
 * names, addresses and ids recur: a text read before is found by its bytes, which takes 30 ns where
 * making a string takes 150, and as the name of a property it need not be hashed again.
 */
export function readShortText(bytes: Buffer, start: number, end: number): string | undefined {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (byte >= 0x80) return undefined;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const known = slots[slot]!;
  if (known.length === end - start && isAt(known, bytes, start)) return known;
  const text = bytes.toString("latin1", start, end);
  slots[slot] = text;
  return text;
}

function isAt(text: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
