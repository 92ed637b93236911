import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { createSpareTime } from "./spare-time.ts";

/** Spare time, and a way to offer tasks that take so long. */
function spare(given: { readonly queueMax?: number; readonly timeRatio?: number } = {}) {
  const clock = manualClock();
  const timers = manualTimers(clock);
  const { queueMax = 100, timeRatio = 0.1 } = given;
  const { offer } = createSpareTime({ clock, timers, queueMax, timeRatio });
  const done: string[] = [];
  const task = (name: string, takesMs = 0): boolean =>
    offer(() => {
      done.push(name);
      clock.advance(takesMs);
    });
  return { offer, task, done, timers, clock };
}

describe("createSpareTime()", () => {
  it("runs nothing before the offer returns, and all in order after", () => {
    const { task, done, timers } = spare();
    for (const name of ["a", "b", "c"]) expect(task(name)).toBe(true);
    expect(done).toEqual([]);
    timers.advance(0);
    expect(done).toEqual(["a", "b", "c"]);
    expect(timers.pending()).toBe(0);
  });

  it("refuses what is over the limit, and takes more once there is room", () => {
    const { task, done, timers } = spare({ queueMax: 2 });
    expect([task("a"), task("b"), task("c")]).toEqual([true, true, false]);
    timers.advance(0);
    expect(done).toEqual(["a", "b"]);
    expect(task("d")).toBe(true);
  });

  it("ends its turn after a millisecond, and rests for as long as the ratio asks", () => {
    const { task, done, timers } = spare({ timeRatio: 0.1 });
    for (const name of ["a", "b", "c", "d"]) task(name, 0.5);
    timers.advance(0);
    expect(done).toEqual(["a", "b"]);
    // One millisecond in ten: nine of rest.
    timers.advance(8.5);
    expect(done).toEqual(["a", "b"]);
    timers.advance(0.5);
    expect(done).toEqual(["a", "b", "c", "d"]);
  });

  it("rests the longer the longer a task takes, also before one that comes later", () => {
    const { task, done, timers } = spare({ timeRatio: 0.5 });
    task("slow", 100);
    timers.advance(0);
    timers.advance(50);
    task("next");
    timers.advance(49);
    expect(done).toEqual(["slow"]);
    timers.advance(1);
    expect(done).toEqual(["slow", "next"]);
  });

  it("takes what a task offers for later", () => {
    const { offer, done, task, timers } = spare();
    offer(() => void task("inner"));
    timers.advance(0);
    timers.advance(10);
    expect(done).toEqual(["inner"]);
    expect(timers.pending()).toBe(0);
  });
});
