import { describe, expect, it } from "vitest";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { globBuiltins } from "./glob.ts";

describe("globBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [...callsOf("glob.quote_meta", '"*.github.com"', '"a?[b]{c,d}\\\\!-"', '"é"')];
    expect(disagreements(globBuiltins, calls)).toEqual([]);
  });
});
