import { describe, expect, it } from "vitest";
import { PdpError } from "../decision/error.ts";
import { grpcStatus } from "./status.ts";

describe("grpcStatus()", () => {
  it("cuts texts to what headers can carry, in both places", () => {
    const long = "x".repeat(100_000);
    const { details, metadata } = grpcStatus(
      new PdpError("invalid-argument", long, { field: long }),
    );
    expect(details.length).toBeLessThanOrEqual(1_025);
    const [bytes] = metadata.get("grpc-status-details-bin");
    expect(bytes!.length).toBeLessThan(4_096);
  });

  it("makes texts well-formed, also where it cuts through a character", () => {
    for (const text of ["\ud800", `${"x".repeat(1_023)}😀`]) {
      const { details } = grpcStatus(new PdpError("not-found", text));
      expect(() => encodeURI(details)).not.toThrow();
    }
  });

  it("gives details only where a field is at fault", () => {
    const { metadata } = grpcStatus(new PdpError("unavailable", "no directory"));
    expect(metadata.get("grpc-status-details-bin")).toEqual([]);
  });
});
