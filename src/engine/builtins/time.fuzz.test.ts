import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { type BuiltinCall, disagreements } from "../../../test/support/builtin-oracle.ts";
import { type Term, termInteger } from "../term-value.ts";
import { timeBuiltins } from "./time.ts";

const context = builtinContext();

/** From 1970 on: for what was before, and for rules made lately, databases of zones differ. */
const instant = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(termInteger);

const zone = fc.constantFrom(
  ...["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"],
  ...["Pacific/Apia", "Asia/Kathmandu", "America/Sao_Paulo", "Asia/Tehran", "Europe/London"],
);

const layout = fc
  .array(
    fc.constantFrom(
      ...["2006", "06", "01", "1", "Jan", "January", "02", "2", "_2", "Mon", "Monday", "002"],
      ...["__2", "15", "03", "3", "04", "4", "05", "5", "PM", "pm", "-07:00", "Z0700", "Z07"],
      ...[".000", ".999999999", ",9", " ", "-", ":", "T", "x", "0", "é"],
    ),
    { maxLength: 10 },
  )
  .map((parts) => parts.join(""));

const moment = fc.tuple(instant, zone, layout);

const call: fc.Arbitrary<BuiltinCall> = fc.oneof(
  fc.record({
    name: fc.constantFrom("time.date", "time.clock", "time.weekday", "time.format"),
    args: fc.tuple(moment),
  }),
  fc.record({ name: fc.constant("time.diff"), args: fc.tuple(moment, moment) }),
  fc.record({
    name: fc.constant("time.add_date"),
    args: fc.tuple(
      moment,
      ...[60, 1000, 40_000].map((most) => fc.integer({ min: -most, max: most }).map(termInteger)),
    ),
  }),
  // Texts that fit the layout, some of them with one character replaced.
  fc
    .tuple(moment, fc.nat(40), fc.constantFrom("", "", "9", " ", "x"))
    .map(([[at, , parts], position, replacement]) => {
      const text = String(timeBuiltins["time.format"]!([[at, "UTC", parts]], context));
      const broken =
        replacement === ""
          ? text
          : text.slice(0, position) + replacement + text.slice(position + 1);
      const args: Term[] = [parts, broken];
      return { name: "time.parse_ns", args };
    }),
  fc.record({
    name: fc.constant("time.parse_duration_ns"),
    args: fc.tuple(
      fc
        .array(
          fc.tuple(
            fc.oneof(fc.nat().map(String), fc.double({ min: 0, max: 1000 }).map(String)),
            fc.constantFrom("ns", "us", "µs", "ms", "s", "m", "h", "d", "w", "y"),
          ),
          { maxLength: 4 },
        )
        .map((segments) => segments.flat().join("")),
    ),
  }),
);

describe("timeBuiltins", () => {
  it("agree with OPA on random moments, layouts, steps, texts and durations", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 800, maxLength: 800 }), (calls) => {
        expect(disagreements(timeBuiltins, calls)).toEqual([]);
      }),
      { numRuns: 2, interruptAfterTimeLimit: 8000 },
    );
  });
});
