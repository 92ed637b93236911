/** How base64 text is written. */
export interface Base64Form {
  /** Whether `-` and `_` stand for the last two digits, instead of `+` and `/`. */
  readonly urlSafe: boolean;
  /** Whether `=` fills the text to a multiple of four characters. */
  readonly padded: boolean;
}

const NO_URL_SAFE_DIGIT = /[^A-Za-z0-9_-]/;
const NO_STANDARD_DIGIT = /[^A-Za-z0-9+/]/;

/**
 * Bytes of base64 text, as Go's encoding/base64 reads it: line ends are skipped, unused bits may be
 * anything, all else must be as the form says. Undefined where Go has an error.
 */
export function decodeBase64(text: string, form: Base64Form): Buffer | undefined {
  const compact = text.replace(/[\r\n]/g, "");
  const digits = form.padded ? compact.replace(/={1,2}$/, "") : compact;
  const isWhole = form.padded ? compact.length % 4 === 0 : digits.length % 4 !== 1;
  const foreign = form.urlSafe ? NO_URL_SAFE_DIGIT : NO_STANDARD_DIGIT;
  return isWhole && !foreign.test(digits) ? Buffer.from(digits, "base64") : undefined;
}
