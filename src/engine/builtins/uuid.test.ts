import { describe, expect, it } from "vitest";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { uuidBuiltins } from "./uuid.ts";

describe("uuidBuiltins", () => {
  it("agrees with OPA", () => {
    const calls = [
      ...callsOf(
        "uuid.parse",
        '"00000000-0000-1000-8000-000000000000"',
        '"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"',
        '"F81D4FAE-7DEC-21d0-a765-03a0c91e6bf6"',
        '"f81d4fae-7dec-21d0-0001-02a0c91e6bf6"',
        '"f81d4fae-7dec-21d0-c009-01a0c91e6bf6"',
        '"f81d4fae-7dec-41d0-e765-00a0c91e6bf6"',
        '"{f81d4fae-7dec-41d0-a765-00a0c91e6bf6}"',
        '"xf81d4fae-7dec-41d0-a765-00a0c91e6bf6y"',
        '"urn:UUID:f81d4fae-7dec-41d0-a765-00a0c91e6bf6"',
        '"f81d4fae7dec41d0a76500a0c91e6bf6"',
        '"f81d4fae7dec41d0a76500a0c91e6bf"',
        '"f81d4fae-7dec-41d0-a765_00a0c91e6bf6"',
        '""',
      ),
    ];
    expect(disagreements(uuidBuiltins, calls)).toEqual([]);
  });
});
