import { describe, expect, it } from "vitest";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { semverBuiltins } from "./semver.ts";

describe("semverBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf(
        "semver.is_valid",
        '"1.2.3"',
        '"v1.2.3"',
        '"1.2"',
        '"1.2.3-a.1+b"',
        '"01.2.3"',
        '"1.2.3-01"',
        '"1.2.3-0a"',
        '"1.2.3+"',
        '"1.2.3-"',
        '"9223372036854775808.0.0"',
        '"9223372036854775807.0.0"',
        '"1.2.3+a-b"',
        '"1.2.3-a+b+c"',
        '"vv1.2.3"',
        '""',
        "1",
      ),
      ...callsOf(
        "semver.compare",
        '"1.2.3","1.2.4"',
        '"1.2.3-a","1.2.3"',
        '"1.2.3","1.2.3-a"',
        '"1.2.3-a.1","1.2.3-a.2"',
        '"1.2.3-a.1","1.2.3-a"',
        '"1.2.3-a","1.2.3-a.1"',
        '"1.2.3-10","1.2.3-9"',
        '"1.2.3-a","1.2.3-9"',
        '"1.2.3+x","1.2.3+y"',
        '"10.0.0","9.0.0"',
        '"1.2","1.2.3"',
        '"1.0.0-alpha.beta","1.0.0-beta"',
      ),
    ];
    expect(disagreements(semverBuiltins, calls)).toEqual([]);
  });
});
