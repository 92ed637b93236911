import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { parseTerm } from "../term.ts";
import { termInteger } from "../term-value.ts";
import { BuiltinUnsupported } from "./builtin.ts";
import { timeBuiltins } from "./time.ts";

const quoted = (texts: readonly string[]): string[] => texts.map((text) => JSON.stringify(text));

const INSTANTS = [
  ...["0", "1700000000123456789", "-1", "-1000000000", "951782400000000000", "1e18", "1.5"],
  ...["9223372036854775807", "-9223372036854775808", "9223372036854775808", "1709210096000000000"],
  // The hours around the changes to and from summer time in Berlin.
  ...["1711846799000000000", "1711846800000000000", "1729990800000000000", "1729994400000000000"],
];

const ZONES = [
  ...["", "UTC", "Etc/Zulu", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "US/Pacific"],
  ...["Australia/Lord_Howe", "Asia/Kathmandu", "Europe/Dublin", "America/St_Johns", "Etc/GMT+3"],
  ...["europe/berlin", "+01:00", "Nowhere/City", "2020-01-01T00:00[Europe/Berlin]"],
];

const MOMENTS = [
  ...INSTANTS,
  ...INSTANTS.flatMap((instant) => ZONES.map((zone) => `[${instant},"${zone}"]`)),
  ...["[]", '["a"]', '"a"', "[1,2]", "null", '[1,"UTC",3]', "{1}", "[1]"],
];

const LAYOUTS = [
  "",
  "RFC3339",
  "RFC3339Nano",
  "ANSIC",
  "RubyDate",
  "RFC822Z",
  "RFC1123Z",
  "2006-01-02",
  "06/1/2 3:4:5 PM",
  "Monday January _2 __2 002 pm 03",
  "15:04:05.000",
  "15:04:05.999999",
  "05,000000",
  "05.0000000000",
  "Month Mond Janu JaneX",
  "-07 -0700 -07:00 -070000 -07:00:00 Z07 Z0700 Z07:00 Z070000 Z07:00:00",
  "_2006 __2006 20061 002 0022 05.00x 05.09",
  "é2006é",
  "nothing",
];

const DURATIONS = [
  "1h",
  "1h30m",
  "-1.5h",
  "+5s",
  "0",
  "-0",
  "",
  "1",
  "1d",
  "1.5d2h",
  "1w",
  "2y",
  "1y2w3d4h5m6s7ms8us9ns",
  "300µs",
  "300μs",
  "1d300µs",
  "1d300μs",
  ".5s",
  "1.s",
  ".s",
  "1..5s",
  "1.2.3d",
  "9223372036854775807ns",
  "9223372036854775808ns",
  "-9223372036854775808ns",
  "0.1234567891234567891234h",
  "1e3s",
  "1 h",
  "d",
  "1dd",
  "1m1m",
  "106751d",
  "106752d",
  "293y",
  "0.000000001s",
  "0.0000000001s",
  "1.0000000001h",
  "3000000h",
  "1D",
  "é",
  "1msd",
  "292y",
  "0.3d",
  "0.7y",
];

const RFC3339_TEXTS = [
  "2024-02-29T12:34:56Z",
  "2023-02-29T12:34:56Z",
  "2024-02-29T12:34:56.123456789Z",
  "2024-02-29T12:34:56.1234567891Z",
  "2024-02-29T12:34:56,5Z",
  "2024-02-29T12:34:56+01:30",
  "2024-02-29T12:34:56-23:59",
  "2024-02-29T12:34:56+24:60",
  "2024-02-29T12:34:56+25:00",
  "2024-02-29T1:34:56Z",
  "2024-2-29T12:34:56Z",
  "2024-02-29 12:34:56Z",
  "2024-02-29T12:34:56",
  "2024-02-29T24:00:00Z",
  "2024-02-29T12:60:00Z",
  "2024-02-29T12:34:60Z",
  "2024-13-01T00:00:00Z",
  "2024-00-01T00:00:00Z",
  "1677-09-21T00:12:43.145224192Z",
  "1677-09-21T00:12:43.145224191Z",
  "2262-04-11T23:47:16.854775807Z",
  "2262-04-11T23:47:16.854775808Z",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59Z",
  "2024-02-29t12:34:56z",
  "2024-02-29T12:34:56Zx",
  "",
  "2024-02-29T12:34:56.Z",
  "+024-02-29T12:34:56Z",
  "２024-02-29T12:34:56Z",
];

/** Layout and text. */
const PARSED = [
  ["2006-01-02", "2024-02-30"],
  ["2006-01-02", "2024-02-29"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 UTC"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 PST"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 GMT+3"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 GMT+99"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 CEST"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 ABCD"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 +03"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 ChST"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 ABCDET"],
  ["2006-01-02 15:04:05 MST", "2024-02-29 12:34:56 AB"],
  ["Mon, 02 Jan 2006 15:04:05 MST", "Thu, 29 Feb 2024 12:34:56 GMT"],
  ["RFC1123", "Thu, 29 feb 2024 12:34:56 GMT"],
  ["RFC1123Z", "Xxx, 29 Feb 2024 12:34:56 +0100"],
  ["RFC822", "29 Feb 24 12:34 UTC"],
  ["RFC850", "Thursday, 29-Feb-24 12:34:56 UTC"],
  ["ANSIC", "Thu Feb  9 12:34:56 2024"],
  ["ANSIC", "Thu Feb 9 12:34:56 2024"],
  ["UnixDate", "Thu Feb 29 12:34:56 CET 2024"],
  ["RubyDate", "Thu Feb 29 12:34:56 -0830 2024"],
  ["3:04 PM 2006", "12:30 AM 2024"],
  ["3:04 PM 2006", "12:30 PM 2024"],
  ["3:04 PM 2006", "1:30 PM 2024"],
  ["3:04pm 2006", "1:30am 2024"],
  ["3:04 PM 2006", "13:30 PM 2024"],
  ["15 PM pm 2006", "12 AM pm 2024"],
  ["06 01", "69 01"],
  ["06 01", "68 01"],
  ["06 01", "+5 01"],
  ["06 01", "-5 01"],
  ["2006 002", "2024 060"],
  ["2006 002", "2024 366"],
  ["2006 002", "2023 366"],
  ["2006 __2", "2024   1"],
  ["2006 __2", "2024  61"],
  ["2006 __2", "2024 61"],
  ["2006 002 01", "2024 060 02"],
  ["2006 002 01", "2024 060 03"],
  ["2006 05.000", "2024 05.123"],
  ["2006 05.000", "2024 05.12"],
  ["2006 05.000", "2024 05.1234"],
  ["2006 05.999", "2024 05.123456"],
  ["2006 05.999", "2024 05"],
  ["2006 05", "2024 05.25"],
  ["2006 05 4", "2024 05.25 3"],
  ["2006 .000", "2024 .+12"],
  ["2006 .000", "2024 .-12"],
  ["2006 .000", "2024 .-00"],
  ["2006 ,000", "2024 .123"],
  ["2006  01", "2024 01"],
  ["2006 01", "2024   01"],
  ["2006 01", "202401"],
  ["2006 01 ", "2024 01"],
  ["2006 01", "2024 01 "],
  ["2006 -07", "2024 +05"],
  ["2006 Z07", "2024 Z"],
  ["2006 -07:00:00", "2024 +01:02:03"],
  ["2006 -070000", "2024 -010203"],
  ["2006 Z070000", "2024 Z"],
  ["2006 -07:00:00", "2024 -00:00:01"],
  ["2006 -07:00:00", "2024 +00:00:61"],
  ["2006", "2024x"],
  ["", ""],
  ["", "x"],
  ["x", "x"],
  ["January 2006", "mArCh 2024"],
  ["Jan 2006", "Marc 2024"],
  ["2006 2", "2024 0"],
  ["2006 2", "2024 32"],
  ["2006 _2", "2024  1"],
  ["2006 1 2", "2023 2 29"],
  ["2006 15", "2024 24"],
  ["15:04", "25:00"],
  ["2006é01", "2024é05"],
  ["2006 MST -0700", "2024 PST -0800"],
  ["2006 -0700 MST", "2024 -0800 UTC"],
];

const STEPS = [
  ...[
    [0, 0, 0],
    [1, 2, 3],
    [0, 1, 31],
    [-1, -14, -400],
    [0, 0, 1],
    [400, 0, 0],
    [-300, 0, 0],
  ],
  ...[
    [0, 12, -366],
    [100000, 0, -36525000],
    [0, 0, 100000000],
  ],
];

describe("timeBuiltins", () => {
  it.each(["time.date", "time.clock", "time.weekday", "time.format"])(
    "agrees with OPA on %s in zones",
    (name) => {
      expect(disagreements(timeBuiltins, callsOf(name, ...MOMENTS))).toEqual([]);
    },
  );

  it("agrees with OPA on layouts", () => {
    const inZones = ["UTC", "Europe/Berlin", "America/St_Johns"].flatMap((zone) =>
      quoted(LAYOUTS).flatMap((layout) =>
        INSTANTS.map((instant) => `[${instant},"${zone}",${layout}]`),
      ),
    );
    const named = ["UnixDate", "RFC822", "RFC850", "RFC1123", "MST"].map(
      (layout) => `[1700000000000000000,"UTC","${layout}"]`,
    );
    const calls = callsOf("time.format", ...inZones, ...named);
    expect(disagreements(timeBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on steps over the calendar and over summer time", () => {
    const calls = callsOf(
      "time.add_date",
      ...["0,1.5,0,0", '0,"a",0,0', "0,1.0,0,0", "0,1e1,0,0"],
      ...INSTANTS.flatMap((instant) =>
        STEPS.flatMap((step) =>
          [instant, `[${instant},"Europe/Berlin"]`, `[${instant},"America/New_York"]`].map(
            (moment) => `${moment},${step.join()}`,
          ),
        ),
      ),
    );
    expect(disagreements(timeBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on differences", () => {
    const calls = callsOf(
      "time.diff",
      ...INSTANTS.flatMap((a) =>
        INSTANTS.flatMap((b) => [`${a},${b}`, `[${a},"Europe/Berlin"],[${b},"America/New_York"]`]),
      ),
    );
    expect(disagreements(timeBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on durations", () => {
    const calls = callsOf("time.parse_duration_ns", "1", ...quoted(DURATIONS));
    expect(disagreements(timeBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on what is an RFC 3339 time", () => {
    const calls = callsOf("time.parse_rfc3339_ns", "1", ...quoted(RFC3339_TEXTS));
    expect(disagreements(timeBuiltins, calls)).toEqual([]);
  });

  it("agrees with OPA on texts read by a layout", () => {
    const calls = callsOf("time.parse_ns", ...PARSED.map((pair) => quoted(pair).join()));
    expect(disagreements(timeBuiltins, calls)).toEqual([]);
  });

  it("tells the time of the evaluation", () => {
    const context = builtinContext(1_700_000_000_000_000_001n);
    expect(timeBuiltins["time.now_ns"]!([], context)).toEqual(
      termInteger(1_700_000_000_000_000_001n),
    );
  });

  it("refuses the abbreviation of a zone, which it does not know", () => {
    const moment = parseTerm('[0,"Europe/Berlin","RFC1123"]');
    const context = builtinContext();
    expect(() => timeBuiltins["time.format"]!([moment], context)).toThrow(BuiltinUnsupported);
  });
});
