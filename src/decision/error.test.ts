import { describe, expect, it } from "vitest";
import { PdpError, toPdpError } from "./error.ts";

describe("toPdpError()", () => {
  it("hides what an unforeseen error says and keeps it as the cause", () => {
    const secret = new Error("connect postgres://user:password@db failed");
    const error = toPdpError(secret);
    expect(error.kind).toBe("internal");
    expect(error.message).toBe("internal error");
    expect(error.cause).toBe(secret);
  });

  it("converts what isn't an Error at all", () => {
    expect(toPdpError("boom").cause).toBe("boom");
  });

  it("leaves its own kind as it is", () => {
    const error = new PdpError("not-found", "no application billing", { field: "application" });
    expect(toPdpError(error)).toBe(error);
  });
});
