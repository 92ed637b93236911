import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { createUuidV7 } from "./uuid-v7.ts";

describe("createUuidV7()", () => {
  const at = Date.parse("2026-01-05T10:00:00.123Z");

  it("has the form of RFC 9562 §5.7", () => {
    const create = createUuidV7(manualClock(at));
    for (let index = 0; index < 2_000; index += 1) {
      expect(create()).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
    }
  });

  it("begins with the clock's milliseconds, so that ids sort by time", () => {
    const clock = manualClock(at);
    const create = createUuidV7(clock);
    const first = create();
    clock.advance(1);
    expect(Number.parseInt(first.replaceAll("-", "").slice(0, 12), 16)).toBe(at);
    expect(create() > first).toBe(true);
  });

  it("repeats no id, across refills of its random pool", () => {
    const create = createUuidV7(manualClock(at));
    const ids = new Set(Array.from({ length: 5_000 }, create));
    expect(ids.size).toBe(5_000);
  });
});
