import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { silentLogger } from "../base/logger.ts";
import { PdpError } from "../decision/error.ts";
import { createChangeFeed } from "./change-feed.ts";
import type { DirectoryChange } from "./directory.ts";
import type { Store } from "./store.ts";

/** A store whose reads are answered by hand. */
function scriptedFeed() {
  const reads: {
    readonly resolve: (changes: readonly DirectoryChange[]) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  const store = {
    read: () =>
      new Promise((resolve, reject) => {
        const position = { generation: 1, changeId: "one" };
        reads.push({ resolve: (changes) => resolve({ changes, position }), reject });
      }),
  } as unknown as Store;
  const reports: boolean[] = [];
  const clock = manualClock();
  let tick: () => void = () => {};
  let isStopped = false;
  const feed = createChangeFeed({
    store,
    position: { generation: 1, changeId: "one" },
    pollIntervalMs: 200,
    clock,
    repeat: (run) => {
      tick = run;
      return () => {
        isStopped = true;
      };
    },
    logger: silentLogger,
    report: (isReadable) => reports.push(isReadable),
  });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { feed, clock, reads, reports, tick: () => tick(), settled, isStopped: () => isStopped };
}

describe("createChangeFeed()", () => {
  it("says that the directory can't be read while it does not answer for a second", async () => {
    const { reads, reports, tick, settled } = scriptedFeed();
    tick();
    for (let i = 0; i < 4; i++) tick();
    expect(reports).toEqual([]);
    for (let i = 0; i < 4; i++) tick();
    expect(reports).toEqual([false]);
    expect(reads).toHaveLength(1);
    reads[0]!.resolve([]);
    await settled();
    expect(reports).toEqual([false, true]);
  });

  it("says once that the directory can't be read, and once that it can again", async () => {
    const { reads, reports, tick, settled } = scriptedFeed();
    for (let i = 0; i < 3; i++) {
      tick();
      reads[i]!.reject(new PdpError("unavailable", "gone"));
      await settled();
    }
    expect(reports).toEqual([false]);
    for (let i = 3; i < 5; i++) {
      tick();
      reads[i]!.resolve([]);
      await settled();
    }
    expect(reports).toEqual([false, true]);
  });

  it("knows up to when all is announced, and stands still while it can't look", async () => {
    const { feed, clock, reads, tick, settled } = scriptedFeed();
    expect(feed.announcedUpToMs()).toBe(Number.NEGATIVE_INFINITY);
    tick();
    const lookedAtMs = clock.monotonicMs();
    clock.advance(50);
    reads[0]!.resolve([]);
    await settled();
    expect(feed.announcedUpToMs()).toBe(lookedAtMs);
    clock.advance(200);
    tick();
    reads[1]!.reject(new PdpError("unavailable", "gone"));
    await settled();
    expect(feed.announcedUpToMs()).toBe(lookedAtMs);
  });

  it("vouches for nothing any more once a listener has failed to take a change", async () => {
    const { feed, clock, reads, tick, settled } = scriptedFeed();
    feed.watch(() => {
      throw new Error("no");
    });
    tick();
    reads[0]!.resolve([{ generation: 2, subjects: "all" }]);
    await settled();
    clock.advance(200);
    tick();
    reads[1]!.resolve([]);
    await settled();
    expect(feed.announcedUpToMs()).toBe(Number.NEGATIVE_INFINITY);
  });

  it("looks no second time while a look is under way", () => {
    const { reads, tick } = scriptedFeed();
    tick();
    tick();
    expect(reads).toHaveLength(1);
  });

  it("looks again for who polls during a look, which may have missed the commit", async () => {
    const { feed, reads, tick, settled } = scriptedFeed();
    const heard: number[] = [];
    feed.watch(({ generation }) => heard.push(generation));
    tick();
    const polled = feed.poll();
    reads[0]!.resolve([]);
    await settled();
    reads[1]!.resolve([{ generation: 2, subjects: "all" }]);
    await polled;
    expect(heard).toEqual([2]);
  });

  it("announces nothing once closed", async () => {
    const { feed, reads, tick, settled, isStopped } = scriptedFeed();
    const heard: number[] = [];
    feed.watch(({ generation }) => heard.push(generation));
    tick();
    feed.close();
    reads[0]!.resolve([{ generation: 2, subjects: "all" }]);
    await settled();
    expect(heard).toEqual([]);
    expect(isStopped()).toBe(true);
  });
});
