import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { noDeadline } from "../base/deadline.ts";
import { silentLogger } from "../base/logger.ts";
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
  // A look announces at its end what was committed at its beginning.
  fc.record({ kind: fc.constant("beginLook") }),
  fc.record({ kind: fc.constant("endLook"), fails: fc.boolean() }),
  // A read sees the directory as it is at some instant between its begin and its end.
  fc.record({ kind: fc.constant("snapshot"), which: fc.nat(7) }),
  fc.record({ kind: fc.constant("finish"), which: fc.nat(7), fails: fc.boolean() }),
  fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(1, 900, 2_000, 4_500, 5_000) }),
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface Read extends PromiseWithResolvers<PermissionSet> {
  readonly subjectId: string;
  generation: number | undefined;
}

const TTL_MS = 5_000;

/**
 * Plays the steps and gives what was violated: an answer must reflect what was announced before it
 * was asked for, and whatever had been committed a time to live before, announced or not.
 */
async function play(steps: readonly Step[]): Promise<string[]> {
  const clock = manualClock();
  const timers = manualTimers(clock);
  const reads: Read[] = [];
  const violations: string[] = [];
  const commits: { generation: number; touches: string; atMs: number }[] = [];
  let unannounced = 0;
  let look: { readonly generation: number; readonly atMs: number } | undefined;
  let announcedUpToMs = Number.NEGATIVE_INFINITY;
  const announced = new Map<string, number>(subjects.map((name) => [name, 1]));
  let generation = 1;

  const options = { fillsMax: 2, waitersMax: 50, fillTimeoutMs: 2_000 };
  const limits = {
    entriesMax: 1,
    bytesMax: 2 ** 20,
    ttlMs: TTL_MS,
    negativeTtlMs: 1_000,
    staleForMs: 0,
  };
  const cache = createMemoryCache({
    clock,
    meter: silentMeter,
    random: () => 0,
    announcedUpToMs: () => announcedUpToMs,
    options: limits,
  });
  const source = {
    resolve(_application: string, subjectId: string) {
      const read = { subjectId, generation: undefined, ...Promise.withResolvers<PermissionSet>() };
      reads.push(read);
      return read.promise;
    },
  };
  const sets = createPermissionSets({
    ...{ source, cache, clock, timers, options },
    logger: silentLogger,
    meter: silentMeter,
    announcedUpToMs: () => Number.NEGATIVE_INFINITY,
  });

  /** The newest change of the subject that had been committed a time to live ago. */
  const boundFor = (subjectId: string): number =>
    commits.findLast(
      ({ touches, atMs }) =>
        (touches === "all" || touches === subjectId) && atMs <= clock.monotonicMs() - TTL_MS,
    )?.generation ?? 0;
  const announceNext = (): void => {
    const { generation: next, touches } = commits[unannounced++]!;
    const touched = touches === "all" ? subjects : [touches];
    for (const name of touched) announced.set(name, next);
    sets.invalidate({ generation: next, subjects: touches === "all" ? "all" : [touches] });
  };

  const actions: { [Kind in Step["kind"]]: (step: Extract<Step, { kind: Kind }>) => void } = {
    ask: ({ subject: subjectId, bypass }) => {
      const atLeast = bypass
        ? generation
        : Math.max(announced.get(subjectId)!, boundFor(subjectId));
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
      commits.push({ generation, touches, atMs: clock.monotonicMs() });
    },
    announce: () => {
      if (unannounced < commits.length) announceNext();
    },
    beginLook: () => {
      look ??= { generation, atMs: clock.monotonicMs() };
    },
    endLook: ({ fails }) => {
      const { generation: seen, atMs } = look ?? { generation: 0, atMs: announcedUpToMs };
      look = undefined;
      if (fails) return;
      while (unannounced < commits.length && commits[unannounced]!.generation <= seen) {
        announceNext();
      }
      announcedUpToMs = atMs;
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
  it("never answers with less than was announced, or committed a time to live before", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
        expect(await play(steps)).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});
