import { describe, expect, it } from "vitest";
import { createTimeOf } from "./local-time.ts";

function timeAt(zone: string, text: string) {
  const ms = Date.parse(text);
  return createTimeOf(zone)({ ms, ns: BigInt(ms) * 1_000_000n });
}

describe("createTimeOf()", () => {
  it("refuses a zone that does not exist", () => {
    expect(() => createTimeOf("Mars/Olympus")).toThrow(RangeError);
  });

  it("tells everything about an instant", () => {
    expect(timeAt("UTC", "2026-01-05T10:03:04.056Z")).toEqual({
      ns: 1_767_607_384_056_000_000n,
      rfc3339: "2026-01-05T10:03:04.056Z",
      year: 2026,
      month: 1,
      day: 5,
      hour: 10,
      minute: 3,
      weekday: "Monday",
      zone: "UTC",
    });
  });

  it("tells the local day, which may be another than in UTC", () => {
    const time = timeAt("Pacific/Auckland", "2025-12-31T11:30:00Z");
    expect(time).toMatchObject({ year: 2026, month: 1, day: 1, hour: 0, weekday: "Thursday" });
    expect(time.rfc3339).toBe("2026-01-01T00:30:00.000+13:00");
  });

  it("springs forward with the zone", () => {
    expect(timeAt("Europe/Berlin", "2026-03-29T00:59:59.999Z")).toMatchObject({
      hour: 1,
      minute: 59,
      rfc3339: "2026-03-29T01:59:59.999+01:00",
    });
    expect(timeAt("Europe/Berlin", "2026-03-29T01:00:00Z")).toMatchObject({
      hour: 3,
      minute: 0,
      rfc3339: "2026-03-29T03:00:00.000+02:00",
    });
  });

  it("tells the two hours of the same name apart by their offset", () => {
    const first = timeAt("America/New_York", "2026-11-01T05:30:00Z");
    const second = timeAt("America/New_York", "2026-11-01T06:30:00Z");
    expect([first.hour, second.hour]).toEqual([1, 1]);
    expect(first.rfc3339).toBe("2026-11-01T01:30:00.000-04:00");
    expect(second.rfc3339).toBe("2026-11-01T01:30:00.000-05:00");
  });

  it("knows offsets that are no whole hours", () => {
    expect(timeAt("Asia/Kathmandu", "2026-01-05T10:00:00Z")).toMatchObject({
      hour: 15,
      minute: 45,
    });
    // Lord Howe moves by half an hour.
    expect(timeAt("Australia/Lord_Howe", "2026-04-04T14:59:00Z").rfc3339).toBe(
      "2026-04-05T01:59:00.000+11:00",
    );
    expect(timeAt("Australia/Lord_Howe", "2026-04-04T15:00:00Z").rfc3339).toBe(
      "2026-04-05T01:30:00.000+10:30",
    );
  });

  it("crosses a transition with the same function", () => {
    const timeOf = createTimeOf("Europe/Berlin");
    const hours = ["2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T00:59:59Z"]
      .map((text) => Date.parse(text))
      .map((ms) => timeOf({ ms, ns: BigInt(ms) * 1_000_000n }).rfc3339);
    expect(hours).toEqual([
      "2026-10-25T02:59:59.000+02:00",
      "2026-10-25T02:00:00.000+01:00",
      "2026-10-25T02:59:59.000+02:00",
    ]);
  });

  it("keeps nanoseconds exact", () => {
    const ns = 1_767_607_384_056_789_123n;
    const time = createTimeOf("UTC")({ ns, ms: Number(ns / 1_000_000n) });
    expect(time.ns).toBe(ns);
    expect(time.rfc3339).toBe("2026-01-05T10:03:04.056Z");
  });
});
