import { describe, expect, it } from "vitest";
import { complainOfCidr } from "./check-values.ts";

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
    // Wider than all v4 addresses together, and so no network of theirs.
    "::ffff:10.0.0.0/64",
  ])("refuses %j", (text) => expect(complainOfCidr(text)).toContain("expected a network"));
});
