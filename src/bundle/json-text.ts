import { readJson } from "../base/read-json.ts";
import { BundleRefused, type BundleStage, quoted } from "./bundle-refused.ts";

/** A JSON object as `readJson` makes it; ask it through `member` alone. */
export type ParsedObject = { readonly [name: string]: unknown };

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Decodes a file of a bundle; malformed UTF-8 is refused rather than replaced. */
export function decodeText(bytes: Uint8Array, name: string, stage: BundleStage): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new BundleRefused(stage, `${quoted(name)} is not UTF-8`);
  }
}

/** Parses JSON; the error names the file. */
export function parseJson(text: string, name: string, stage: BundleStage): unknown {
  try {
    return readJson(text);
  } catch (error) {
    const why = error instanceof RangeError ? "it is nested too deeply" : (error as Error).message;
    throw new BundleRefused(stage, `${quoted(name)} is not JSON: ${quoted(why)}`);
  }
}

/** Whether the value is a JSON object. */
export function isObject(value: unknown): value is ParsedObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own member, so that `constructor` and `__proto__` are names like any other. */
export function member(object: ParsedObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
