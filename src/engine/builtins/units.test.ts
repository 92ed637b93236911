import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { BuiltinLimit } from "./builtin.ts";
import { unitBuiltins } from "./units.ts";

const AMOUNTS = [
  "1",
  "1m",
  "100m",
  "1M",
  "1K",
  "1k",
  "1Ki",
  "1KI",
  "1kI",
  "1mI",
  "1.5Gi",
  "10e",
  "10e3",
  "1e3k",
  "1e+3",
  "1e-3Mi",
  "1E",
  "1Ei",
  "1EI",
  "E",
  "e5",
  "-5kb",
  "-5k",
  "+5",
  "--5",
  "1 k",
  "",
  "1kb",
  "1KiB",
  "1kib",
  "0.0001",
  "-0.0001",
  "0.00000000001",
  "-0.00000000001",
  "1/2",
  "1_0",
  "0x10",
  "1e1234567",
  '"1"k',
  "1.",
  "  .5",
  ".5",
  ".",
  "123456789123456789123456789k",
  "0.1Ei",
  "0.1e",
  "1e1e1",
  "1e5e",
  "1-2",
  "12345678901234567.89",
  "0.3EiB",
  "1.0000000001G",
  "5µ",
  "3e",
  "3eb",
  "100TB",
  "1.7976931348623157e308",
  "9999999999999999999.9kb",
];

const context = builtinContext();

describe("unitBuiltins", () => {
  it.each(["units.parse", "units.parse_bytes"])("agrees with OPA on %s", (name) => {
    const texts = AMOUNTS.map((amount) => JSON.stringify(amount));
    expect(disagreements(unitBuiltins, callsOf(name, ...texts))).toEqual([]);
  });

  it("refuses an amount of too many digits", () => {
    for (const parse of Object.values(unitBuiltins)) {
      expect(() => parse(["1e999999"], context)).toThrow(BuiltinLimit);
    }
  });
});
