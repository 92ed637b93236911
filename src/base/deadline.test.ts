import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { deadlineIn, noDeadline, remainingMs } from "./deadline.ts";

describe("remainingMs()", () => {
  it("counts down on the monotonic scale, whatever the wall clock does", () => {
    const clock = manualClock();
    const deadline = deadlineIn(clock, 200);
    clock.stepWall(-3_600_000);
    clock.advance(50);
    expect(remainingMs(clock, deadline)).toBe(150);
  });

  it("stays at zero once the deadline has passed", () => {
    const clock = manualClock();
    const deadline = deadlineIn(clock, 200);
    clock.advance(201);
    expect(remainingMs(clock, deadline)).toBe(0);
  });

  it("never ends without a deadline", () => {
    expect(remainingMs(manualClock(), noDeadline)).toBe(Number.POSITIVE_INFINITY);
  });
});
