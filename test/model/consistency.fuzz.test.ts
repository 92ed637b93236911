// Random schedules of changes, questions and faults: whole sidecars on one clock, a real Redis behind
// a proxy each, a real directory, beside a plain map of what was true when.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { play } from "./schedule.ts";
import { step } from "./step.ts";
import { openWorld } from "./world.ts";

const { POSTERN_SCHEDULES: schedules = "60", POSTERN_SEED: seed } = process.env;
const schedule = fc.array(step, { minLength: 5, maxLength: 40, size: "max" });

describe("sidecars that share a directory and a Redis", () => {
  it("answer only what was true within the bound, and since they last looked or heard", {
    timeout: 0,
  }, async () => {
    const world = await openWorld();
    const property = fc.asyncProperty(schedule, async (steps) => {
      expect(await play(world, steps)).toEqual([]);
    });
    const chosen = seed === undefined ? {} : { seed: Number(seed) };
    await fc.assert(property, { numRuns: Number(schedules), ...chosen });
  });
});
