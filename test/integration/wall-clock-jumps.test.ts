// Processes whose wall clock jumps by an hour and by a day, both ways: what is remembered lives on the
// monotonic clock, and what ends ends by the wall clock.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startFaultWorld } from "../support/fault-world.ts";
import { projectRoot } from "../support/source-files.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Long enough that no look at the directory is late on a busy machine. */
const TTL_MS = 5_000;
/** Back to the true time after each. */
const STEPS_MS = [HOUR_MS, 0, -HOUR_MS, 0, DAY_MS, 0, -DAY_MS, 0];

describe("sidecars under load, whose wall clock jumps", () => {
  it("answer as before, and forget nothing for it but what has ended", {
    timeout: 120_000,
  }, async () => {
    const preload = join(projectRoot, "test/support/stepped-wall-clock.ts");
    const world = await startFaultWorld({
      ttlMs: TTL_MS,
      env: { NODE_OPTIONS: `--import=${preload}`, TEST_WALL_STEPS_MS: STEPS_MS.join() },
    });
    const { load } = world.watch;
    const step = async (): Promise<void> => {
      for (const { process } of world.sidecars) process.kill("SIGUSR2");
    };
    await world.grant("brief", new Date(Date.now() + HOUR_MS / 2));
    await load.outcomes(20);
    const before = await world.watch.grown();
    await load.change("brief", false, step);
    // Longer than both times to live at the load's pace.
    await load.outcomes(700);
    await step();
    await world.revoke("brief");
    for (const _ of STEPS_MS.slice(2)) {
      await step();
      await load.outcomes(40);
    }
    const jumped = await world.watch.grown();
    const aged = 'postern_permission_set_cache_misses_total{reason="aged"}';
    expect(jumped(aged) - before(aged)).toBe(0);
    await world.watch.expectHeld();
  });
});
