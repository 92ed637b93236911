import { readJson } from "../base/read-json.ts";
import { InputRefused } from "./guest-failure.ts";
import { INPUT_BYTES_MAX } from "./input-writer.ts";
import type { InputValue } from "./policy.ts";

/**
 * Reads an input given as JSON text. The guest would take more than JSON: sets, and anything after
 * the first value. Whole numbers beyond 2^53 become bigints. Throws `InputRefused`.
 */
export function parseInputText(text: string): InputValue {
  if (text.length > INPUT_BYTES_MAX || Buffer.byteLength(text) > INPUT_BYTES_MAX) {
    throw new InputRefused(`the input is larger than ${INPUT_BYTES_MAX} bytes`);
  }
  try {
    return readJson(text, exactInteger) as InputValue;
  } catch (error) {
    // Also the RangeError of nesting that exhausts the stack.
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputRefused(`the input is not JSON: ${reason}`);
  }
}

const INTEGER = /^-?\d+$/;

function exactInteger(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return INTEGER.test(source) ? BigInt(source) : value;
}
