import { isUtf8 } from "node:buffer";

const REPLACEMENT = "\ufffd";

/**
 * Text of bytes as Go's encoding/json reads strings: each byte that belongs to no character becomes
 * U+FFFD, where TextDecoder has one for several. A token with such bytes must not end the
 * evaluation, since anyone can send one.
 */
export function textOfJson(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString();
  let text = "";
  for (let at = 0; at < buffer.length; ) {
    const size = characterBytes(buffer[at]!);
    const character = buffer.subarray(at, at + size);
    const isCharacter = size === 1 ? character[0]! < 0x80 : isUtf8(character);
    text += isCharacter ? character.toString() : REPLACEMENT;
    at += isCharacter ? size : 1;
  }
  return text;
}

/** How many bytes the character has that begins with this one, if one does. */
function characterBytes(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
