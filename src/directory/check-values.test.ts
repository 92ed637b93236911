import { describe, expect, it } from "vitest";
import { complainOfCidr, instantOf } from "./check-values.ts";

describe("complainOfCidr()", () => {
  it.each(["10.0.0.0/8", "0.0.0.0/0", "192.168.1.7/32", "fd00::/8", "::ffff:10.0.0.0/104", "::/0"])(
    "takes %s",
    (text) => expect(complainOfCidr(text)).toBeUndefined(),
  );

  it.each([
    "",
    "/",
    "10.0.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/8/8",
    "010.0.0.0/8",
    "10.0.0/8",
    "fd00::/129",
    "fe80::1%eth0/64",
    "10.0.0.0/8 ",
    "10.0.0.0/1e1",
  ])("refuses %j", (text) => expect(complainOfCidr(text)).toContain("expected a network"));
});

describe("instantOf()", () => {
  it.each([
    ["2027-01-01T00:00:00Z", Date.UTC(2027, 0, 1)],
    ["2027-01-01t02:00:00.5+02:00", Date.UTC(2027, 0, 1) + 500],
    ["2028-02-29T00:00:00Z", Date.UTC(2028, 1, 29)],
  ])("takes %s", (text, ms) => expect(instantOf(text)).toBe(ms));

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
  ])("refuses %j", (text) => expect(instantOf(text)).toBeUndefined());
});
