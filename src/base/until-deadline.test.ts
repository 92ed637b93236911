import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { deadlineIn, noDeadline } from "./deadline.ts";
import { untilDeadline } from "./until-deadline.ts";

function setUp() {
  const clock = manualClock();
  const timers = manualTimers(clock);
  const outcome = Promise.withResolvers<string>();
  const deps = { clock, timers, late: () => new Error("late") };
  return { clock, timers, outcome, deps };
}

describe("untilDeadline()", () => {
  it("fails when the deadline passes, and not before", async () => {
    const { clock, timers, outcome, deps } = setUp();
    const waiting = untilDeadline(outcome.promise, deadlineIn(clock, 100), deps);
    timers.advance(99);
    expect(timers.pending()).toBe(1);
    timers.advance(1);
    await expect(waiting).rejects.toThrow("late");
    outcome.reject(new Error("nobody's"));
  });

  it("gives the outcome, or its failure, and waits no more", async () => {
    const { clock, timers, outcome, deps } = setUp();
    const waiting = untilDeadline(outcome.promise, deadlineIn(clock, 100), deps);
    outcome.resolve("in time");
    expect(await waiting).toBe("in time");
    const failing = untilDeadline(Promise.reject(new Error("why")), deadlineIn(clock, 100), deps);
    await expect(failing).rejects.toThrow("why");
    expect(timers.pending()).toBe(0);
  });

  it.each([
    ["none", () => noDeadline],
    ["one in a month", deadlineIn],
  ])("sets no timer for %s, which would fire at once", (_what, deadlineOf) => {
    const { clock, timers, outcome, deps } = setUp();
    void untilDeadline(outcome.promise, deadlineOf(clock, 31 * 86_400_000), deps);
    expect(timers.pending()).toBe(0);
  });
});
