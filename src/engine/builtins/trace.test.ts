import { describe, expect, it } from "vitest";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { traceBuiltins } from "./trace.ts";

describe("trace", () => {
  it("agrees with OPA", () => {
    expect(disagreements(traceBuiltins, callsOf("trace", '"note"', "1", "null"))).toEqual([]);
  });
});
