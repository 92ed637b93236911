import { describe, expect, it } from "vitest";
import { RedisTime } from "./redis-time.ts";

describe("RedisTime", () => {
  it("knows nothing before the first answer", () => {
    const time = new RedisTime();
    expect(time.atMost(100)).toBeUndefined();
    expect(time.atLeastAsKnownAt(100)).toBeUndefined();
  });

  it("bounds the server's time by when the question went and when the answer came", () => {
    const time = new RedisTime();
    time.note({ sentMs: 100, receivedMs: 110, redisMs: 5_000 });
    expect(time.atMost(200)).toBe(5_100);
    expect(time.atLeastAsKnownAt(200)).toBe(5_090);
  });

  it("says nothing of an instant that no answer had come before", () => {
    const time = new RedisTime();
    time.note({ sentMs: 100, receivedMs: 110, redisMs: 5_000 });
    expect(time.atLeastAsKnownAt(109)).toBeUndefined();
  });

  it("does not mistake what was before a standstill for what is after it", () => {
    const time = new RedisTime();
    time.note({ sentMs: 1_000, receivedMs: 1_000, redisMs: 5_000 });
    // The machine, and its monotonic clock, stood still for an hour.
    time.note({ sentMs: 1_300, receivedMs: 1_300, redisMs: 3_605_300 });
    expect(time.atLeastAsKnownAt(1_100)).toBe(5_100);
  });

  it("sees that the clock was set back, and not that an answer was slow", () => {
    const time = new RedisTime();
    time.note({ sentMs: 0, receivedMs: 10, redisMs: 50_000 });
    time.note({ sentMs: 20, receivedMs: 9_000, redisMs: 50_010 });
    time.note({ sentMs: 9_001, receivedMs: 9_002, redisMs: 59_000 });
    expect(time.setBacks()).toBe(0);
    time.note({ sentMs: 10_000, receivedMs: 10_001, redisMs: 57_000 });
    expect(time.setBacks()).toBe(1);
    time.note({ sentMs: 11_000, receivedMs: 11_001, redisMs: 58_000 });
    expect(time.setBacks()).toBe(1);
  });
});
