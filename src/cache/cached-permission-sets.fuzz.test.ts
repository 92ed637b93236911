import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { noDeadline } from "../base/deadline.ts";
import { silentMeter } from "../base/meter.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { createPermissionSets } from "./cached-permission-sets.ts";
import { createMemoryCache } from "./memory-cache.ts";

const subjects = ["a", "b"] as const;
const subject = fc.constantFrom(...subjects);

/** What happens next in a process, its directory and another process that changes it. */
const step = fc.oneof(
  fc.record({ kind: fc.constant("ask"), subject, bypass: fc.boolean() }),
  fc.record({ kind: fc.constant("commit"), touches: fc.oneof(subject, fc.constant("all")) }),
  fc.record({ kind: fc.constant("announce") }),
  // A read sees the directory as it is at some instant between its begin and its end.
  fc.record({ kind: fc.constant("snapshot"), which: fc.nat(7) }),
  fc.record({ kind: fc.constant("finish"), which: fc.nat(7), fails: fc.boolean() }),
  fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(1, 900, 2_000, 5_000) }),
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface Read extends PromiseWithResolvers<PermissionSet> {
  readonly subjectId: string;
  generation: number | undefined;
}

/** Plays the steps and gives what was violated; an answer must reflect what was announced before. */
async function play(steps: readonly Step[]): Promise<string[]> {
  const clock = manualClock();
  const timers = manualTimers(clock);
  const reads: Read[] = [];
  const violations: string[] = [];
  const unannounced: { generation: number; touches: string }[] = [];
  const announced = new Map<string, number>(subjects.map((name) => [name, 1]));
  let generation = 1;

  const options = { fillsMax: 2, waitersMax: 50, fillTimeoutMs: 2_000 };
  const limits = { entriesMax: 1, bytesMax: 2 ** 20, ttlMs: 5_000, negativeTtlMs: 1_000 };
  const cache = createMemoryCache({
    clock,
    meter: silentMeter,
    random: () => 0,
    announcedUpToMs: () => Number.NEGATIVE_INFINITY,
    options: limits,
  });
  const source = {
    resolve(_application: string, subjectId: string) {
      const read = { subjectId, generation: undefined, ...Promise.withResolvers<PermissionSet>() };
      reads.push(read);
      return read.promise;
    },
  };
  const sets = createPermissionSets({ source, cache, clock, timers, meter: silentMeter, options });

  const actions: { [Kind in Step["kind"]]: (step: Extract<Step, { kind: Kind }>) => void } = {
    ask: ({ subject: subjectId, bypass }) => {
      const atLeast = bypass ? generation : announced.get(subjectId)!;
      const consistency = { minimumGeneration: 0, bypassCache: bypass };
      const query = { application: "platform", subjectId, consistency, deadline: noDeadline };
      Promise.resolve(sets.get(query)).then(
        (set) => {
          if (set.subject.id !== subjectId) violations.push("another subject's set");
          if (set.generation < atLeast) violations.push(`${set.generation} < ${atLeast}`);
        },
        () => {},
      );
    },
    commit: ({ touches }) => {
      generation += 1;
      unannounced.push({ generation, touches });
    },
    announce: () => {
      const change = unannounced.shift();
      if (change === undefined) return;
      const touched = change.touches === "all" ? subjects : [change.touches];
      for (const name of touched) announced.set(name, change.generation);
      sets.invalidate({
        generation: change.generation,
        subjects: change.touches === "all" ? "all" : [change.touches],
      });
    },
    snapshot: ({ which }) => {
      const read = reads[which % Math.max(1, reads.length)];
      if (read !== undefined) read.generation ??= generation;
    },
    finish: ({ which, fails }) => {
      const [read] = reads.splice(which % Math.max(1, reads.length), 1);
      if (fails) read?.reject(new Error("gone"));
      const { subjectId = "", generation: seen = generation } = read ?? {};
      read?.resolve(cacheableSet({ subjectId, generation: seen }));
    },
    wait: ({ ms }) => timers.advance(ms),
  };

  for (const next of steps) {
    (actions[next.kind] as (step: Step) => void)(next);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return violations;
}

describe("createPermissionSets()", () => {
  it("never answers with less than was announced before it was asked", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
        expect(await play(steps)).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
