import { BuiltinError } from "./builtin.ts";
import { textOfBytes } from "./bytes.ts";

/** Replaces `%41` by what it stands for; other signs, `+` too, stay. */
export function unescapePercent(text: string): string {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) throw new BuiltinError("invalid escape");
  if (!text.includes("%")) return text;
  // One character per byte, so that escapes and the bytes around them become text together.
  const bytes = Buffer.from(text)
    .toString("latin1")
    .replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return textOfBytes(Buffer.from(bytes, "latin1"));
}

/** `%C3%A9` for a character. */
export function escapePercent(character: string): string {
  return Array.from(
    Buffer.from(character),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("");
}
