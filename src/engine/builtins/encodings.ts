import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { textOfBytes } from "./bytes.ts";
import { checkText } from "./limits.ts";
import { asString } from "./operands.ts";

/** Base64 and hexadecimal text. */
export const encodingBuiltins: BuiltinFamily = {
  "base64url.encode_no_pad": ([text]) =>
    checkText(Buffer.from(asString(text)).toString("base64url")),
  "hex.encode": ([text]) => checkText(Buffer.from(asString(text)).toString("hex")),
  "hex.decode": ([text]) => decodeHex(asString(text)),
};

function decodeHex(text: string): string {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new BuiltinError("expected an even number of hexadecimal digits");
  }
  return textOfBytes(Buffer.from(text, "hex"));
}
