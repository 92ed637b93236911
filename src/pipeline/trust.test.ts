import { describe, expect, it } from "vitest";
import { untrusted } from "../../test/support/pipeline.ts";
import { createTrustOf, isSelf, requireIdentity } from "./trust.ts";

const trustOf = createTrustOf({
  unix: { ...untrusted, identity: true, subjectProperties: ["department"] },
  loopback: untrusted,
  network: untrusted,
  certificates: {
    "spiffe://example/gateway": { ...untrusted, mfa: true, subjectProperties: ["clearance"] },
    "gateway.example": { ...untrusted, ip: true },
  },
});

describe("createTrustOf()", () => {
  it("gives each kind of caller its own", () => {
    expect(trustOf({ kind: "unix", certificateNames: [] }).identity).toBe(true);
    expect(trustOf({ kind: "loopback", certificateNames: [] })).toEqual(untrusted);
  });

  it("lets the operator at the control socket state everything but attributes", () => {
    expect(trustOf({ kind: "control", certificateNames: [] })).toEqual({
      identity: true,
      mfa: true,
      ip: true,
      authentication: true,
      resource: true,
      subjectProperties: [],
    });
  });

  it("sums up the kind and every name of the certificate", () => {
    const certificateNames = ["spiffe://example/gateway", "gateway.example", "unlisted"];
    expect(trustOf({ kind: "unix", certificateNames })).toEqual({
      identity: true,
      mfa: true,
      ip: true,
      authentication: false,
      resource: false,
      subjectProperties: ["department", "clearance"],
    });
  });

  it.each(["__proto__", "constructor", "toString"])("gives nothing for the name %s", (name) => {
    expect(trustOf({ kind: "network", certificateNames: [name] })).toEqual(untrusted);
  });
});

describe("requireIdentity()", () => {
  it("refuses a question about somebody else, naming the field", () => {
    expect(() => requireIdentity(untrusted, false)).toThrow(
      expect.objectContaining({ kind: "permission-denied", field: "subject.id" }),
    );
  });

  it("lets a caller ask about itself", () => {
    const peer = { kind: "network", certificateNames: ["spiffe://example/agent"] } as const;
    expect(isSelf(peer, "spiffe://example/agent")).toBe(true);
    expect(isSelf(peer, "spiffe://example/agent2")).toBe(false);
    expect(() => requireIdentity(untrusted, true)).not.toThrow();
  });
});
