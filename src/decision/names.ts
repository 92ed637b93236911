import { quoted } from "../base/quoted.ts";
import { PdpError } from "./error.ts";

/** What the names of applications match, as the source of a regular expression. */
export const applicationPattern = "^[a-z][a-z0-9-]{0,62}$";
const APPLICATION = new RegExp(applicationPattern);
const TERM = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const ID_BYTES_MAX = 256;

/** Refuses a name that is not an application's. `field` is the path named in the error. */
export function checkApplicationName(name: string, field: string): void {
  if (APPLICATION.test(name)) return;
  throw invalid(field, name, "an application name: a-z, 0-9 and -, a letter first, at most 63");
}

/** Refuses what is not the name of a resource type or an action. `:` and `*` never are. */
export function checkTerm(name: string, field: string): void {
  if (TERM.test(name)) return;
  throw invalid(field, name, "a letter, then letters, digits, _ . -, at most 63 characters");
}

/** Refuses what is not the id of a subject or a resource: 1–256 bytes of UTF-8, no controls. */
export function checkId(id: string, field: string): void {
  const ok =
    id.length > 0 &&
    id.length <= ID_BYTES_MAX &&
    !CONTROL.test(id) &&
    id.isWellFormed() &&
    (id.length * 3 <= ID_BYTES_MAX || Buffer.byteLength(id) <= ID_BYTES_MAX);
  if (!ok) throw invalid(field, id, "1 to 256 bytes of UTF-8 without control characters");
}

/** Whether `pattern` (`resource:action`, `*` for either side) covers the permission. */
export function patternCovers(pattern: string, resource: string, action: string): boolean {
  const colon = pattern.indexOf(":");
  const patternResource = pattern.slice(0, colon);
  const patternAction = pattern.slice(colon + 1);
  return (
    colon > 0 &&
    (patternResource === "*" || patternResource === resource) &&
    (patternAction === "*" || patternAction === action)
  );
}

const SHOWN_MAX = 64;

function invalid(field: string, value: string, expected: string): PdpError {
  const message = `${field}: ${quoted(value, SHOWN_MAX)} is not valid; expected ${expected}`;
  return new PdpError("invalid-argument", message, { field });
}
