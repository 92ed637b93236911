import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRfc3339 } from "./rfc3339.ts";

describe("parseRfc3339()", () => {
  it("reads what Date writes", () => {
    const dates = fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        expect(parseRfc3339(date.toISOString())).toBe(date.getTime());
      }),
    );
  });

  it("takes early years as they are", () => {
    expect(parseRfc3339("0001-01-01T00:00:00Z")).toBe(-62_135_596_800_000);
  });

  it.each([
    ["2027-01-01T00:00:00Z", Date.UTC(2027, 0, 1)],
    ["2027-01-01t02:00:00.5+02:00", Date.UTC(2027, 0, 1) + 500],
    ["2028-02-29T00:00:00Z", Date.UTC(2028, 1, 29)],
  ])("takes %s", (text, ms) => expect(parseRfc3339(text)).toBe(ms));

  it.each([
    "2027-02-29T00:00:00Z",
    "2027-13-01T00:00:00Z",
    "2027-01-01",
    "2027-01-01T00:00:00",
    "2027-01-01T24:00:00Z",
    "2027-01-01T00:00:60Z",
    "2027-01-01 00:00:00Z",
    "tomorrow",
    "",
    "2027-00-01T00:00:00Z",
    "2027-01-01T00:00:00+25:00",
  ])("refuses %j", (text) => expect(parseRfc3339(text)).toBeUndefined());
});
