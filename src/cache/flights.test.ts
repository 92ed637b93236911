import { describe, expect, it } from "vitest";
import { cacheableSet } from "../../test/support/cacheable-set.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { manualTimers } from "../../test/support/manual-timers.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { deadlineIn, noDeadline } from "../base/deadline.ts";
import { PdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import { Flights } from "./flights.ts";

/** Flights to a directory that answers when the test says so. */
function setUp(fillsMax = 8) {
  const clock = manualClock();
  const timers = manualTimers(clock);
  const { meter, notes } = notingMeter();
  const reads = new Map<string, PromiseWithResolvers<PermissionSet>>();
  const flights = new Flights({
    ...{ clock, timers, meter, ended: () => {} },
    read: ({ subjectId }) => {
      const read = Promise.withResolvers<PermissionSet>();
      reads.set(subjectId, read);
      return read.promise;
    },
    options: { fillsMax, waitersMax: 100, fillTimeoutMs: 2_000 },
  });
  const board = (subjectId: string, leftMs = Number.POSITIVE_INFINITY): Promise<string> => {
    const deadline = leftMs === Number.POSITIVE_INFINITY ? noDeadline : deadlineIn(clock, leftMs);
    return flights.board({ application: "platform", subjectId }, { deadline, fresh: false }).then(
      () => "answered",
      (error) => (error instanceof PdpError ? `${error.kind}: ${error.message}` : String(error)),
    );
  };
  const arrive = async (subjectId: string, afterMs = 0): Promise<void> => {
    clock.advance(afterMs);
    reads.get(subjectId)!.resolve(cacheableSet({ subjectId }));
    await new Promise(setImmediate);
  };
  /** A read that takes so long. */
  const readIn = async (ms: number, subjectId = `after ${ms} ms`): Promise<void> => {
    const answer = board(subjectId);
    await arrive(subjectId, ms);
    expect(await answer).toBe("answered");
  };
  const refusals = () => notes.filter((note) => note.includes("refused_early"));
  return { clock, reads, board, arrive, readIn, refusals };
}

const tooLate =
  "deadline-exceeded: the permission set can't be read in the time that is left" as const;

describe("Flights: who can't be answered in time", () => {
  it("is refused at once, by the shortest of the last reads", async () => {
    const { board, readIn, refusals } = setUp();
    for (const ms of [300, 50, 400]) await readIn(ms);
    expect(await board("a", 49)).toBe(tooLate);
    expect(refusals()).toEqual(["postern_requests_refused_early_total directory-read 1"]);
  });

  it("is nobody who has just enough time, and nobody before the first read", async () => {
    const { board, arrive, readIn, refusals } = setUp();
    const first = board("first", 0.001);
    await arrive("first");
    expect(await first).toBe("answered");
    for (let read = 0; read < 16; read += 1) await readIn(50, `${read}`);
    const second = board("second", 50);
    await arrive("second");
    expect(await second).toBe("answered");
    expect(refusals()).toEqual([]);
  });

  it("is read for all the same, so that the next asker and the estimate gain", async () => {
    const { board, arrive, readIn, reads } = setUp();
    for (let read = 0; read < 16; read += 1) await readIn(300, `${read}`);
    expect(await board("a", 200)).toBe(tooLate);
    expect(reads.has("a")).toBe(true);
    // The directory has recovered.
    await arrive("a", 1);
    const later = board("b", 200);
    await arrive("b", 1);
    expect(await later).toBe("answered");
  });

  it("is judged by what is left of a read that is under way", async () => {
    const { board, clock, arrive, readIn } = setUp();
    await readIn(100);
    const first = board("a");
    clock.advance(60);
    expect(await board("a", 39)).toBe(tooLate);
    const inTime = board("a", 40);
    // One that takes longer than the others may end at any time.
    clock.advance(30);
    const late = board("a", 11);
    await arrive("a", 0);
    expect(await Promise.all([first, inTime, late])).toEqual(Array(3).fill("answered"));
  });

  it("is judged by the reads that come before, of which so many go at once", async () => {
    const { board, arrive, readIn, reads, refusals } = setUp(2);
    await readIn(100);
    const waiting = ["a", "b", "c", "d"].map((subjectId) => board(subjectId));
    expect([...reads.keys()].slice(1)).toEqual(["a", "b"]);
    // Behind c and d, which can begin at once if a and b end.
    expect(await board("e", 199)).toBe(tooLate);
    expect(refusals()).toEqual(["postern_requests_refused_early_total directory-queue 1"]);
    const inTime = board("e", 200);
    // Others wait for c; how many are before it is not known.
    expect(await board("c", 99)).toBe(tooLate);
    const joined = board("c", 100);
    for (const subjectId of ["a", "b", "c", "d", "e"]) await arrive(subjectId);
    expect(await Promise.all([...waiting, inTime, joined])).toEqual(Array(6).fill("answered"));
  });

  it("is not read for where its turn has not come and nobody else waits", async () => {
    const { board, arrive, readIn, reads } = setUp(1);
    await readIn(100);
    const first = board("a");
    expect(await board("b", 99)).toBe(tooLate);
    await arrive("a");
    expect(await first).toBe("answered");
    expect(reads.has("b")).toBe(false);
  });

  it("is not told by reads that failed, nor by those long ago", async () => {
    const { board, reads, readIn } = setUp();
    await readIn(10);
    const failing = board("failing");
    reads.get("failing")!.reject(new PdpError("unavailable", "gone"));
    expect(await failing).toBe("unavailable: gone");
    expect(await board("a", 9)).toBe(tooLate);
    for (let read = 0; read < 16; read += 1) await readIn(20, `${read}`);
    expect(await board("b", 19)).toBe(tooLate);
  });
});
