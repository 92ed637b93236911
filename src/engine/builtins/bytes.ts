import { BuiltinUnsupported } from "./builtin.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as a string. Strings of Go may hold bytes that are no UTF-8; ours can't. */
export function textOfBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    throw new BuiltinUnsupported("the bytes are not UTF-8 text");
  }
}
