import { describe, expect, it } from "vitest";
import { conditionClass } from "../../test/support/permission-set.ts";
import { parseAddress } from "../base/ip-network.ts";
import { emptyObject, type JsonObject } from "../decision/json.ts";
import type { Conditions } from "../decision/permission-set.ts";
import { type Circumstances, compileClass, unmet, unmetConditions } from "./activation.ts";

const nowMs = Date.parse("2026-01-05T10:00:00Z");
const usual: Circumstances = {
  nowMs,
  resourceId: undefined,
  properties: emptyObject,
  address: undefined,
  mtls: false,
};

function unmetOf(
  conditions: Partial<Conditions>,
  circumstances: Partial<Circumstances> = {},
  mfaFresh = false,
): number {
  const compiled = compileClass(conditionClass(conditions, []));
  return unmetConditions(compiled, { ...usual, ...circumstances }, mfaFresh);
}

describe("unmetConditions()", () => {
  it("holds without conditions", () => {
    expect(unmetOf({})).toBe(unmet.none);
    expect(compileClass(conditionClass({}, [])).conditional).toBe(false);
    expect(compileClass(conditionClass({ mfa: "recommended" }, [])).conditional).toBe(false);
  });

  it("names everything that does not hold", () => {
    const all: Partial<Conditions> = {
      expiresAtMs: nowMs,
      scope: { project: ["alpha"] },
      ipWhitelists: [["10.0.0.0/8"]],
      authentication: "mtls",
      mfa: "required",
    };
    const { authentication, expiry, ip, mfa, scope } = unmet;
    expect(unmetOf(all)).toBe(expiry | ip | scope | authentication | mfa);
    expect(compileClass(conditionClass(all, [])).conditional).toBe(true);
  });

  it("expires at the instant itself", () => {
    expect(unmetOf({ expiresAtMs: nowMs + 1 })).toBe(unmet.none);
    expect(unmetOf({ expiresAtMs: nowMs })).toBe(unmet.expiry);
  });

  it("needs an address in each whitelist", () => {
    const ipWhitelists = [["10.0.0.0/8", "192.168.0.0/16"], ["10.1.0.0/16"]];
    const at = (ip: string) => unmetOf({ ipWhitelists }, { address: parseAddress(ip) });
    expect(at("10.1.2.3")).toBe(unmet.none);
    expect(at("::ffff:10.1.2.3")).toBe(unmet.none);
    expect(at("10.2.2.3")).toBe(unmet.ip);
    expect(at("192.168.1.1")).toBe(unmet.ip);
    expect(at("malformed")).toBe(unmet.ip);
  });

  it("holds no address in a whitelist that is empty or unreadable", () => {
    const address = parseAddress("10.1.2.3");
    expect(unmetOf({ ipWhitelists: [[]] }, { address })).toBe(unmet.ip);
    expect(unmetOf({ ipWhitelists: [["10.0.0.0/33", "any"]] }, { address })).toBe(unmet.ip);
  });

  it("needs mutual TLS and fresh evidence where they are asked for", () => {
    expect(unmetOf({ authentication: "mtls" })).toBe(unmet.authentication);
    expect(unmetOf({ authentication: "mtls" }, { mtls: true })).toBe(unmet.none);
    expect(unmetOf({ mfa: "required" })).toBe(unmet.mfa);
    expect(unmetOf({ mfa: "required" }, {}, true)).toBe(unmet.none);
  });
});

describe("scope", () => {
  const within = (scope: Conditions["scope"], properties: JsonObject, resourceId?: string) =>
    unmetOf({ scope }, { properties, resourceId }) === unmet.none;

  it("needs every property, with one of its values", () => {
    const scope = { project: ["alpha", "beta"], region: ["eu"] };
    expect(within(scope, { project: "beta", region: "eu" })).toBe(true);
    expect(within(scope, { project: "beta", region: "us" })).toBe(false);
    expect(within(scope, { project: "beta" })).toBe(false);
    expect(within(scope, {})).toBe(false);
  });

  it("holds nothing where no value is accepted", () => {
    expect(within({ project: [] }, { project: "" })).toBe(false);
  });

  it("takes a star at the end of a value only", () => {
    expect(within({ project: ["a-*"] }, { project: "a-7" })).toBe(true);
    expect(within({ project: ["a-*"] }, { project: "a-" })).toBe(true);
    expect(within({ project: ["a-*"] }, { project: "b-a-7" })).toBe(false);
    expect(within({ project: ["*-a"] }, { project: "b-a" })).toBe(false);
    expect(within({ project: ["*-a"] }, { project: "*-a" })).toBe(true);
    expect(within({ project: ["*"] }, { project: "" })).toBe(true);
    expect(within({ project: ["*"] }, {})).toBe(false);
  });

  it("compares numbers and booleans as their text, and nothing else", () => {
    expect(within({ level: ["5"] }, { level: 5 })).toBe(true);
    expect(within({ open: ["true"] }, { open: true })).toBe(true);
    expect(within({ project: ["*"] }, { project: null })).toBe(false);
    expect(within({ project: ["*"] }, { project: ["alpha"] })).toBe(false);
    expect(within({ project: ["*"] }, { project: { alpha: true } })).toBe(false);
  });

  it("means the resource's id by id, whatever its properties say", () => {
    expect(within({ id: ["a-*"] }, {}, "a-7")).toBe(true);
    expect(within({ id: ["a-*"] }, { id: "a-7" }, "b-7")).toBe(false);
    expect(within({ id: ["a-*"] }, { id: "a-7" })).toBe(false);
  });

  it("takes nothing from a prototype", () => {
    expect(within({ project: ["*"] }, Object.create({ project: "alpha" }))).toBe(false);
    expect(within({ constructor: ["*"], toString: ["*"] }, {})).toBe(false);
  });
});
