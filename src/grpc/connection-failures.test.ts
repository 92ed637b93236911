import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { notingMeter } from "../../test/support/noting-meter.ts";
import { type LogFields, type Logger, silentLogger } from "../base/logger.ts";
import { createConnectionFailures } from "./connection-failures.ts";

describe("createConnectionFailures()", () => {
  it("logs one of a reason in ten seconds, says how many it left out, and counts all", () => {
    const clock = manualClock();
    const { meter, notes } = notingMeter();
    const lines: LogFields[] = [];
    const logger: Logger = { ...silentLogger, warn: (fields) => void lines.push(fields) };
    const failures = createConnectionFailures({ clock, logger, meter });
    const peer = "192.0.2.1";

    for (let times = 0; times < 3; times += 1) failures.add("not-tls", { peer, code: "X" });
    failures.add("timeout", { peer: undefined });
    failures.add("gone", { peer });
    expect(lines).toEqual([
      { reason: "not-tls", peer, code: "X", unlogged: 0 },
      { reason: "timeout", peer: undefined, code: undefined, unlogged: 0 },
    ]);
    clock.advance(9_999);
    failures.add("not-tls", { peer });
    expect(lines).toHaveLength(2);
    clock.advance(1);
    failures.add("not-tls", { peer });
    expect(lines.at(-1)).toEqual({ reason: "not-tls", peer, code: undefined, unlogged: 3 });
    expect(notes).toHaveLength(7);
  });
});
