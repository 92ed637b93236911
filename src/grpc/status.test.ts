import { describe, expect, it } from "vitest";
import { PdpError } from "../decision/error.ts";
import { grpcFailure } from "./status.ts";

describe("grpcFailure()", () => {
  it("cuts texts to what headers can carry, in both places", () => {
    const long = "x".repeat(100_000);
    const { message, details } = grpcFailure(
      new PdpError("invalid-argument", long, { field: long }),
    );
    expect(message.length).toBeLessThanOrEqual(1_025);
    expect(details!.length).toBeLessThan(4_096);
  });

  it("makes texts well-formed, also where it cuts through a character", () => {
    for (const text of ["\ud800", `${"x".repeat(1_023)}😀`]) {
      const { message } = grpcFailure(new PdpError("not-found", text));
      expect(() => encodeURI(message)).not.toThrow();
    }
  });

  it("gives details only where a field is at fault", () => {
    const { details } = grpcFailure(new PdpError("unavailable", "no directory"));
    expect(details).toBeUndefined();
  });
});
