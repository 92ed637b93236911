import { fromBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allow, type Decision, deny } from "../decision/decision.ts";
import { PdpError } from "../decision/error.ts";
import type { JsonObject } from "../decision/json.ts";
import {
  CheckBatchResponseSchema,
  CheckResponseSchema,
  GetPermissionSetResponseSchema,
  MfaRequiredResponseSchema,
} from "./gen/postern/v1/decision_pb.js";
import { encodePermissionSetResponse } from "./permission-set-response.ts";
import {
  encodeCheckBatchResponse,
  encodeCheckResponse,
  encodeMfaRequiredResponse,
} from "./response.ts";

const frame = {
  decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab",
  application: "platform",
  revision: "r41",
  generation: 2 ** 53 - 1,
  stalenessMs: 0,
};
const allowed = allow(frame, {
  reason: "permission:agent:execute",
  obligations: [{ type: "limits", properties: { maxConcurrentJobs: 10 } }],
  grant: { pattern: "agent:*", path: ["group:x", "role:developer"] },
  roles: ["operator", "user"],
});

const checkJson = (bytes: Uint8Array): unknown =>
  toJson(CheckResponseSchema, fromBinary(CheckResponseSchema, bytes), { useProtoFieldName: true });

describe("encodeCheckResponse()", () => {
  it("writes an allow with all it says", () => {
    expect(checkJson(encodeCheckResponse(allowed))).toEqual({
      allowed: true,
      reason: "permission:agent:execute",
      obligations: [{ type: "limits", properties: { maxConcurrentJobs: 10 } }],
      grant: { pattern: "agent:*", path: ["group:x", "role:developer"] },
      decision_id: frame.decisionId,
      application: "platform",
      revision: "r41",
      generation: "9007199254740991",
    });
  });

  it("writes a deny that asks for MFA", () => {
    const decision = deny({ ...frame, generation: 0, stalenessMs: 7_000.5 }, "mfa_required", [
      { type: "step-up", properties: {} },
    ]);
    expect(checkJson(encodeCheckResponse(decision))).toEqual({
      reason: "mfa_required",
      mfa_required: true,
      obligations: [{ type: "step-up" }],
      decision_id: frame.decisionId,
      application: "platform",
      revision: "r41",
      staleness_ms: "7001",
    });
  });

  it("refuses an allow with the reason of a deny", () => {
    const twisted: Decision = { ...allowed, reason: "deny:classification" };
    expect(() => encodeCheckResponse(twisted)).toThrow(PdpError);
  });

  it("never makes an allow of anything but `allowed: true`", () => {
    const almost = fc.anything().filter((value) => value !== true);
    fc.assert(
      fc.property(almost, (value) => {
        const decision = { ...allowed, allowed: value } as unknown as Decision;
        expect(fromBinary(CheckResponseSchema, encodeCheckResponse(decision)).allowed).toBe(false);
      }),
    );
  });

  it("writes any JSON in an obligation so that protobuf-es reads it back", () => {
    const struct = fc.dictionary(
      fc.string({ unit: "grapheme", maxLength: 50 }),
      fc.jsonValue({ maxDepth: 5, stringUnit: "grapheme" }),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(struct, fc.string({ unit: "grapheme", maxLength: 300 }), (properties, type) => {
        const decision = deny(frame, "unknown_subject", [
          { type, properties: properties as JsonObject },
        ]);
        const read = fromBinary(CheckResponseSchema, encodeCheckResponse(decision));
        expect(read.obligations[0]!.type).toBe(type);
        expect(JSON.parse(JSON.stringify(read.obligations[0]!.properties ?? {}))).toEqual(
          JSON.parse(JSON.stringify(properties)),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("gives each answer memory of its own, also after one that is very large", () => {
    const first = encodeCheckResponse(allowed);
    const huge = deny(frame, "unknown_subject", [
      { type: "x", properties: { text: "ü".repeat(500_000) } },
    ]);
    const read = fromBinary(CheckResponseSchema, encodeCheckResponse(huge));
    expect(read.obligations[0]!.properties!["text"]).toHaveLength(500_000);
    encodeCheckResponse(deny(frame, "subject_disabled"));
    expect(fromBinary(CheckResponseSchema, first).allowed).toBe(true);
  });

  it("writes a lone surrogate of a policy's text as the replacement character", () => {
    const decision = deny(frame, "deny:\ud800");
    expect(fromBinary(CheckResponseSchema, encodeCheckResponse(decision)).reason).toBe(
      "deny:\ufffd",
    );
  });
});

describe("encodeCheckBatchResponse()", () => {
  it("writes decisions and errors in order", () => {
    const error = new PdpError("invalid-argument", "items[1].action: is missing", {
      field: "items[1].action",
    });
    const bytes = encodeCheckBatchResponse([
      allowed,
      error,
      deny(frame, "unknown_subject"),
      new PdpError("not-found", "no such application"),
    ]);
    const { results } = fromBinary(CheckBatchResponseSchema, bytes);
    expect(results.map(({ answer }) => answer.case)).toEqual([
      "response",
      "error",
      "response",
      "error",
    ]);
    expect(results[1]!.answer.value).toMatchObject({
      code: 3,
      message: "items[1].action: is missing",
      field: "items[1].action",
    });
    expect(results[3]!.answer.value).toMatchObject({ code: 5, field: "" });
  });

  it("writes a thousand answers", () => {
    const bytes = encodeCheckBatchResponse(new Array(1_000).fill(allowed));
    const { results } = fromBinary(CheckBatchResponseSchema, bytes);
    expect(results).toHaveLength(1_000);
    expect(results[999]!.answer.value).toMatchObject({ allowed: true, revision: "r41" });
  });
});

describe("encodeMfaRequiredResponse()", () => {
  it("writes the answer", () => {
    const bytes = encodeMfaRequiredResponse({
      required: true,
      satisfied: true,
      reason: "permission:agent:manage",
      maxAgeSeconds: 900,
      stalenessMs: 12_000.2,
    });
    expect(fromBinary(MfaRequiredResponseSchema, bytes)).toMatchObject({
      required: true,
      satisfied: true,
      reason: "permission:agent:manage",
      maxAgeSeconds: 900n,
      stalenessMs: 12_001n,
    });
  });
});

describe("encodePermissionSetResponse()", () => {
  const attributes = Object.assign(Object.create(null), { clearance: "secret" });
  Object.defineProperty(attributes, "__proto__", { value: "x", enumerable: true });
  const bytes = encodePermissionSetResponse({
    set: {
      application: "platform",
      subject: { id: "user-123", type: "user" },
      status: "active",
      attributes,
      groups: ["llm-platform/developers"],
      classes: [
        {
          conditions: {
            expiresAtMs: undefined,
            scope: undefined,
            ipWhitelists: [],
            authentication: undefined,
            mfa: "none",
          },
          grants: [
            {
              source: "group",
              path: ["group:llm-platform/developers", "role:developer"],
              role: "developer",
              patterns: ["agent:execute", "agent:read"],
              limits: { maxConcurrentJobs: 10 },
            },
          ],
        },
        {
          conditions: {
            expiresAtMs: 1_798_761_600_500,
            scope: { project: ["alpha"] },
            ipWhitelists: [["10.0.0.0/8"]],
            authentication: "mtls",
            mfa: "required",
          },
          grants: [
            { source: "manual", path: [], role: undefined, patterns: ["workflow:*"], limits: {} },
          ],
        },
      ],
      generation: 7,
      validUntilMs: 1_798_761_600_000,
    },
    effective: ["agent:execute", "agent:read", "workflow:approve"],
    stalenessMs: 6_000,
  });

  it("writes every pattern with its path and conditions", () => {
    const json = toJson(
      GetPermissionSetResponseSchema,
      fromBinary(GetPermissionSetResponseSchema, bytes),
      { useProtoFieldName: true },
    );
    const path = ["group:llm-platform/developers", "role:developer"];
    const limits = { maxConcurrentJobs: 10 };
    expect(json).toMatchObject({
      application: "platform",
      status: "active",
      roles: ["developer"],
      groups: ["llm-platform/developers"],
      patterns: [
        { pattern: "agent:execute", path, source: "group", limits },
        { pattern: "agent:read", path, source: "group", limits },
        {
          pattern: "workflow:*",
          source: "manual",
          conditions: {
            expires_at: "2027-01-01T00:00:00.500Z",
            scope: [{ property: "project", values: ["alpha"] }],
            ip_whitelists: [{ networks: ["10.0.0.0/8"] }],
            authentication: "mtls",
            mfa: "required",
          },
        },
      ],
      effective_permissions: ["agent:execute", "agent:read", "workflow:approve"],
      generation: "7",
      valid_until: "2027-01-01T00:00:00Z",
      staleness_ms: "6000",
    });
  });

  it("keeps an attribute called __proto__", () => {
    expect(Buffer.from(bytes).includes("__proto__")).toBe(true);
  });
});
