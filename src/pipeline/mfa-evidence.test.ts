import { describe, expect, it } from "vitest";
import type { JsonValue } from "../decision/json.ts";
import { isFreshEvidence } from "./mfa-evidence.ts";

const nowMs = Date.parse("2026-01-05T10:00:00Z");
const freshness = { nowMs, maxAgeSeconds: 900 };

function fresh(verifiedAt: JsonValue): boolean {
  return isFreshEvidence({ mfa: { verified_at: verifiedAt } }, freshness);
}

describe("isFreshEvidence()", () => {
  it("is not fresh without evidence", () => {
    expect(isFreshEvidence({}, freshness)).toBe(false);
    for (const mfa of [null, true, "2026-01-05T10:00:00Z", [], {}, { verifiedAt: "x" }]) {
      expect(isFreshEvidence({ mfa: mfa as JsonValue }, freshness)).toBe(false);
    }
  });

  it("takes nothing from a prototype", () => {
    const inherited = Object.create({ mfa: { verified_at: "2026-01-05T10:00:00Z" } });
    expect(isFreshEvidence(inherited, freshness)).toBe(false);
    const mfa = Object.create({ verified_at: "2026-01-05T10:00:00Z" });
    expect(isFreshEvidence({ mfa }, freshness)).toBe(false);
  });

  it.each([
    null,
    true,
    1767607200,
    ["2026-01-05T10:00:00Z"],
    "",
    "now",
    "1767607200",
    "2026-01-05",
    "2026-01-05T10:00:00",
    "2026-01-05 10:00:00Z",
    "2026-01-05T10:00Z",
    "2026-01-05T10:00:00+0000",
    "2026-01-05T10:00:00Z ",
    "2026-01-05T10:00:00Z\n",
    "Mon, 05 Jan 2026 10:00:00 GMT",
    "+002026-01-05T10:00:00Z",
    "2026-02-29T10:00:00Z",
    "2026-01-05T24:00:00Z",
    "2026-01-05T10:00:60Z",
    "2026-01-05T10:00:00+24:00",
    "2026-01-05T10:00:00.Z",
    "2026-13-05T10:00:00Z",
    "2026-00-05T10:00:00Z",
  ])("has no use for verified_at %j", (verifiedAt) => {
    expect(fresh(verifiedAt)).toBe(false);
  });

  it("ends with the limit, to the millisecond", () => {
    expect(fresh("2026-01-05T09:45:00Z")).toBe(true);
    expect(fresh("2026-01-05T09:44:59.999Z")).toBe(false);
  });

  it("allows a clock that is 30 s ahead, and none that is further", () => {
    expect(fresh("2026-01-05T10:00:30Z")).toBe(true);
    expect(fresh("2026-01-05T10:00:30.001Z")).toBe(false);
  });

  it("minds the offset", () => {
    expect(fresh("2026-01-05T11:00:00+01:00")).toBe(true);
    expect(fresh("2026-01-05T10:00:00+01:00")).toBe(false);
    expect(fresh("2026-01-05t05:00:00-05:00")).toBe(true);
  });
});
