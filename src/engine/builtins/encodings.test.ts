import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { BuiltinUnsupported } from "./builtin.ts";
import { encodingBuiltins } from "./encodings.ts";

const context = builtinContext();

describe("encodingBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf("base64url.encode_no_pad", '"a"', '"??>>é"', '""', "1"),
      ...callsOf("hex.encode", '"é"', '""'),
      ...callsOf("hex.decode", '"c3a9"', '"C3A9"', '"c3a"', '"zz"', '""'),
    ];
    expect(disagreements(encodingBuiltins, calls)).toEqual([]);
  });

  it("refuses bytes that no string can hold", () => {
    expect(() => encodingBuiltins["hex.decode"]!(["ff"], context)).toThrow(BuiltinUnsupported);
  });
});
