import { fromBinary, toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { allow, type Decision, deny } from "../../decision/decision.ts";
import type { JsonObject } from "../../decision/json.ts";
import { CheckResponseSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { encodeAuthorization, encodeNoAnswer } from "./check-response.ts";
import type { HeaderChange, HttpAnswer } from "./http-answer.ts";
import { plainAnswer } from "./rego-result.ts";

const frame = {
  decisionId: "019b8d3a-6c00-7abc-8def-0123456789ab",
  application: "envoy",
  revision: "r41",
  generation: 0,
  stalenessMs: 0,
};
const allowed = allow(frame, {
  reason: "policy:allow",
  obligations: [],
  grant: undefined,
  roles: [],
});
const denied = deny(frame, "deny:policy");
const decisionMetadata = { decision_id: frame.decisionId };

const read = (bytes: Uint8Array) => fromBinary(CheckResponseSchema, bytes);
const json = (bytes: Uint8Array) => toJson(CheckResponseSchema, read(bytes)) as JsonObject;
const header = (name: string, value: string, given: Partial<HeaderChange> = {}): HeaderChange => ({
  ...{ name, value, action: "overwrite", keepsEmpty: false, ...given },
});

describe("encodeAuthorization()", () => {
  it("writes an allow with all that is to happen to the request", () => {
    const answer: HttpAnswer = {
      ...plainAnswer,
      headers: [
        header("x-user", "u1"),
        header("x-role", "a"),
        header("x-role", "b"),
        header("x-added", "c", { action: "append" }),
        header("x-empty", "", { keepsEmpty: true }),
      ],
      removedHeaders: ["x-secret"],
      responseHeaders: [
        header("set-cookie", "a=1", { action: "append" }),
        header("x-over", "c"),
        header("x-absent", "d", { action: "add_if_absent" }),
        header("x-there", "e", { action: "overwrite_if_exists" }),
      ],
      query: [
        { name: "a", value: "1&b=2#x +é" },
        { name: "escaped", value: "%26 100%" },
      ],
      removedQuery: ["debug"],
      dynamicMetadata: { who: "u1", decision_id: "forged" },
    };
    const overwritten = { append: false, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" };
    expect(json(encodeAuthorization(allowed, answer))).toEqual({
      status: {},
      okResponse: {
        headers: [
          { header: { key: "x-user", value: "u1" }, ...overwritten },
          { header: { key: "x-role", value: "a" }, ...overwritten },
          { header: { key: "x-role", value: "b" }, append: true },
          { header: { key: "x-added", value: "c" }, append: true },
          { header: { key: "x-empty" }, ...overwritten, keepEmptyValue: true },
        ],
        headersToRemove: ["x-secret"],
        responseHeadersToAdd: [
          { header: { key: "set-cookie", value: "a=1" } },
          { header: { key: "x-over", value: "c" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" },
          { header: { key: "x-absent", value: "d" }, appendAction: "ADD_IF_ABSENT" },
          { header: { key: "x-there", value: "e" }, appendAction: "OVERWRITE_IF_EXISTS" },
        ],
        queryParametersToSet: [
          { key: "a", value: "1%26b%3D2%23x%20%2B%C3%A9" },
          { key: "escaped", value: "%26%20100%25" },
        ],
        queryParametersToRemove: ["debug"],
      },
      dynamicMetadata: { who: "u1", ...decisionMetadata, reason: "policy:allow" },
    });
  });

  it("writes a denial with what the client gets", () => {
    const answer: HttpAnswer = {
      ...plainAnswer,
      headers: [header("location", "https://login.example"), header("set-cookie", "a=1")],
      status: 302,
      body: "elsewhere",
      // Nothing of the request changes where it goes nowhere.
      removedHeaders: ["x-secret"],
      responseHeaders: [header("x", "y")],
      query: [{ name: "a", value: "b" }],
    };
    expect(json(encodeAuthorization(denied, answer))).toEqual({
      status: { code: 7 },
      deniedResponse: {
        status: { code: "Found" },
        headers: [
          { header: { key: "location", value: "https://login.example" } },
          { header: { key: "set-cookie", value: "a=1" } },
        ],
        body: "elsewhere",
      },
      dynamicMetadata: { ...decisionMetadata, reason: "deny:policy" },
    });
  });

  it("leaves to Envoy what a policy that only says yes or no leaves open", () => {
    const metadata = (reason: string) => ({ dynamicMetadata: { ...decisionMetadata, reason } });
    expect(json(encodeAuthorization(allowed, undefined))).toEqual({
      ...{ status: {}, ...metadata("policy:allow") },
    });
    expect(json(encodeAuthorization(denied, undefined))).toEqual({
      ...{ status: { code: 7 }, ...metadata("deny:policy") },
    });
  });

  it("refuses to write an allow that contradicts itself", () => {
    const odd = { ...allowed, reason: "deny:policy" } as Decision;
    expect(() => encodeAuthorization(odd, undefined)).toThrow("internal error");
    const untrue = { ...allowed, allowed: "true" } as unknown as Decision;
    expect(read(encodeAuthorization(untrue, undefined)).status?.code).toBe(7);
  });
});

describe("encodeNoAnswer()", () => {
  it("writes an error, which is no denial, and less an allow", () => {
    expect(json(encodeNoAnswer(503))).toEqual({
      status: { code: 14 },
      errorResponse: { status: { code: "ServiceUnavailable" } },
    });
  });
});
