import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { parseTerm } from "../term.ts";
import { BuiltinLimit } from "./builtin.ts";
import { sprintfBuiltins } from "./sprintf.ts";

const sprintf = (format: string, args: string): unknown =>
  sprintfBuiltins["sprintf"]!([format, parseTerm(args)], builtinContext());

const VALUES = [
  ...["1", "-1", "0", "65", "128512", "1114112", "55296", "100000", "9007199254740993"],
  ...["9223372036854775807", "-9223372036854775808"],
  ...["12345678901234567890", "-12345678901234567890"],
  ...["1.0", "1.5", "-0.0", "0.1", "0.5", "2.5", "123456789.125", "1e3", "1e21", "1e22", "1e-7"],
  ...["1e400", "2.5e-310", "5e-324", '""', '"héllo"', '"a\\"b\\\\\\n\\u0001😀\\u200b"'],
  ...["null", "true", '[1,"a",{"x":[1.50,null]},{"s",1},set(),{}]'],
];

const FORMATS = [
  ...["%v", "%d", "%s", "%q", "%x", "%X", "%o", "%O", "%b", "%c", "%U", "%e", "%E", "%f", "%F"],
  ...["%g", "%G", "%t", "%T", "%z", "%é", "%😀d", "%!", "%", "%%", "%5%", "no verb"],
  ...["%5d", "%-5d|", "%05d", "%+d", "% d", "%+08d", "%-08d|", "%.0d", "%.5d", "%8.5d"],
  ...["%#x", "%#X", "%#o", "%#b", "%#q", "%#U", "%#v", "%#g", "%#e", "%#.0f", "%#.3g", "%#.2x"],
  ...["%.2f", "%8.3f", "%-8.3f|", "%08.3f", "%+.3e", "% .1f", "%.0f", "%.0e", "%.3g", "%.25f"],
  ...["%.3s", "%5.1s", "%-10s|", "%010s", "%+q", "%+5q", "%08q", "%x|% x|%#x|% #x", "%+x"],
  ...["%+v", "%20.10v", "%+.2v", "%.1x", "%.0x", "%#.3x", "%.20g", "%6.2f%%"],
  ...["%[1]d %[1]v", "%[2]d", "%[1]*d", "%*d", "%.*f", "%[0]d", "%[x]d", "%[1", "%[1]5d"],
  ...["%[3]*.[2]*[1]f", "%[1].2d", "%-", "%5", "%.", "%1000000000d", "%d %d", "%s %v", "%x%d"],
];

const LISTS = [
  ...VALUES.map((value) => `[${value}]`),
  ...["[]", "[1,2]", "[5,3]", "[-5,3]", '["a",3]', "[2,3.14159]", "[3.14159,2,8]", "[1.5,1]"],
  ...['[3,1.5,"x",null,12345678901234567890]', "[2000000,1]"],
];

describe("sprintf", () => {
  it("agrees with OPA on every verb, flag and kind of value", () => {
    const calls = FORMATS.flatMap((format) =>
      callsOf("sprintf", ...LISTS.map((list) => `${JSON.stringify(format)},${list}`)),
    );
    expect(disagreements(sprintfBuiltins, calls)).toEqual([]);
  });

  it("is undefined for a format that is no string and arguments that are no array", () => {
    const calls = callsOf("sprintf", "1,[]", '"a",{1}', '"a",null');
    expect(disagreements(sprintfBuiltins, calls)).toEqual([]);
  });

  it("refuses a text that is too long, before it is made", () => {
    for (const format of ["%2000000v", "%.2000000v", "%02000000v"]) {
      for (const value of ["[1.5]", "[1]", "[12345678901234567890]"]) {
        expect(() => sprintf(format, value), format + value).toThrow(BuiltinLimit);
      }
    }
    expect(() => sprintf("%1000000d%1000000d", "[1,1]")).toThrow(BuiltinLimit);
  });

  it("takes time linear in a format of brackets that never close", () => {
    const printed = String(sprintf(`]${"%[d".repeat(30_000)}`, "[]"));
    expect(printed.split("%!d(BADINDEX)").length).toBe(30_001);
  });
});
