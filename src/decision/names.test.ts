import { describe, expect, it } from "vitest";
import { PdpError } from "./error.ts";
import { checkApplicationName, checkId, checkTerm, patternCovers } from "./names.ts";

function refusal(check: () => void): PdpError {
  try {
    check();
  } catch (error) {
    if (error instanceof PdpError) return error;
  }
  throw new Error("was not refused with a PdpError");
}

describe("checkTerm()", () => {
  it.each([
    ["*", "a wildcard"],
    ["agent:execute", "a colon"],
    ["", "nothing"],
    ["1agent", "a digit first"],
    ["agent\u0000", "NUL"],
    ["agent\n", "a line feed at the end"],
    ["аgent", "a Cyrillic letter"],
    ["a".repeat(64), "64 characters"],
  ])("refuses %j (%s)", (name) => {
    const error = refusal(() => checkTerm(name, "action.name"));
    expect(error.kind).toBe("invalid-argument");
    expect(error.field).toBe("action.name");
    expect(error.message).toContain("action.name");
  });

  it.each(["agent", "Cluster", "model.v1_x-y", "constructor", "a".repeat(63)])(
    "takes %j",
    (name) => {
      expect(() => checkTerm(name, "action.name")).not.toThrow();
    },
  );

  it("shows no more of a long value than an operator needs", () => {
    expect(refusal(() => checkTerm("*".repeat(10_000), "action.name")).message.length).toBeLessThan(
      250,
    );
  });
});

describe("checkApplicationName()", () => {
  it.each(["", "Platform", "9lives", "a_b", "a/b", "..", "a".repeat(64)])("refuses %j", (name) => {
    expect(refusal(() => checkApplicationName(name, "application")).field).toBe("application");
  });

  it.each(["platform", "a", "billing-2", "a".repeat(63)])("takes %j", (name) => {
    expect(() => checkApplicationName(name, "application")).not.toThrow();
  });
});

describe("checkId()", () => {
  it.each([
    ["", "nothing"],
    ["a\u0000b", "NUL"],
    ["a\u0085b", "a C1 control"],
    ["\ud800", "a lone surrogate"],
    ["a".repeat(257), "257 bytes"],
    ["é".repeat(129), "258 bytes in 129 characters"],
  ])("refuses %j (%s)", (id) => {
    expect(refusal(() => checkId(id, "subject.id")).field).toBe("subject.id");
  });

  it.each(["user-123", "__proto__", "é".repeat(128), "a b:*", "日本"])("takes %j", (id) => {
    expect(() => checkId(id, "subject.id")).not.toThrow();
  });
});

describe("patternCovers()", () => {
  it.each([
    ["agent:execute", true],
    ["agent:*", true],
    ["*:execute", true],
    ["*:*", true],
    ["agent:read", false],
    ["mesh:*", false],
    ["*:read", false],
    ["agent", false],
    [":execute", false],
    ["agent:", false],
    ["ag*:execute", false],
  ])("%s covers agent:execute: %s", (pattern, covers) => {
    expect(patternCovers(pattern, "agent", "execute")).toBe(covers);
  });
});
