import { describe, expect, it } from "vitest";
import { oneAtATime } from "./one-at-a-time.ts";

function controlled() {
  const ends: PromiseWithResolvers<number>[] = [];
  const call = oneAtATime(() => {
    const end = Promise.withResolvers<number>();
    ends.push(end);
    return end.promise;
  });
  return { call, ends };
}

describe("oneAtATime()", () => {
  it("shares one further run among all who call while one runs", async () => {
    const { call, ends } = controlled();
    const first = call();
    const later = [call(), call()];
    ends[0]!.resolve(1);
    expect(await first).toBe(1);
    await Promise.resolve();
    expect(ends).toHaveLength(2);
    ends[1]!.resolve(2);
    expect(await Promise.all(later)).toEqual([2, 2]);
    expect(ends).toHaveLength(2);
  });

  it("never runs twice at once, also for who calls between two runs", async () => {
    const { call, ends } = controlled();
    const first = call();
    const second = call();
    const third = first.then(() => call());
    ends[0]!.resolve(1);
    await first;
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    expect(ends.length).toBeLessThanOrEqual(2);
    for (const value of [2, 3]) {
      ends.at(-1)!.resolve(value);
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    }
    await Promise.all([second, third]);
    expect(ends.length).toBeLessThanOrEqual(3);
  });

  it("goes on after a run that failed", async () => {
    const { call, ends } = controlled();
    const first = call();
    const second = call();
    ends[0]!.reject(new Error("no"));
    await expect(first).rejects.toThrow("no");
    await Promise.resolve();
    ends[1]!.resolve(2);
    expect(await second).toBe(2);
  });
});
