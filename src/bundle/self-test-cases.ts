import { BundleRefused, quoted } from "./bundle-refused.ts";
import { decodeText, isObject, member, type ParsedObject, parseJson } from "./json-text.ts";

/**
 * The cases that a bundle brings along, checked before it comes into force:
 *
 *     {"cases": [{"name": "a viewer reads", "input": {"user": {…}, …}, "allow": true}]}
 *
 * `input` is the whole input as the policy sees it; `roles`, `permissions` and `groups` of `user`
 * are written as arrays and given as sets. `allow` is what the entrypoint's own `allow` must be.
 */
export const casesFile = "postern/cases.json";

/** One case. */
export interface SelfTestCase {
  readonly name: string;
  readonly input: ParsedObject;
  readonly allow: boolean;
}

const CASES_MAX = 10_000;
const KEYS = ["name", "input", "allow"];

/** Reads `postern/cases.json`; a misspelt key is refused, since it would test nothing. */
export function readCases(bytes: Uint8Array): SelfTestCase[] {
  const parsed = parseJson(decodeText(bytes, casesFile, "self-test"), casesFile, "self-test");
  const cases = isObject(parsed) ? member(parsed, "cases") : undefined;
  if (!Array.isArray(cases) || cases.length > CASES_MAX) {
    throw refused(`cases is not a list of at most ${CASES_MAX}`);
  }
  return cases.map(readCase);
}

function readCase(value: unknown, index: number): SelfTestCase {
  const place = `cases[${index}]`;
  if (!isObject(value)) throw refused(`${place} is not an object`);
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw refused(`${place} has the unknown key ${quoted(unknown)}`);
  const name = member(value, "name");
  const input = member(value, "input");
  const allow = member(value, "allow");
  if (typeof name !== "string" || name === "") throw refused(`${place}.name is not a text`);
  if (!isObject(input)) throw refused(`${place}.input is not an object`);
  if (typeof allow !== "boolean") throw refused(`${place}.allow is not true or false`);
  return { name, input, allow };
}

function refused(message: string): BundleRefused {
  return new BundleRefused("self-test", `${casesFile}: ${message}`);
}
