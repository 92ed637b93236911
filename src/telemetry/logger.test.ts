import { mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import type { Logger } from "../base/logger.ts";
import { createLogger, createProcessLogger } from "./logger.ts";

function capture(forTerminal = false): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  return {
    lines,
    logger: createLogger({ level: "info", clock: manualClock(), stream, forTerminal }),
  };
}

describe("createLogger()", () => {
  it("writes one JSON line with time, level, fields and message", () => {
    const { logger, lines } = capture();
    logger.info({ application: "platform", generation: 7n }, "Bundle activated.");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        level: "info",
        time: "2026-01-05T10:00:00.000Z",
        application: "platform",
        generation: "7",
        message: "Bundle activated.",
      },
    ]);
  });

  it("can't be made to write a second line", () => {
    const { logger, lines } = capture();
    logger.warn({ name: 'x"}\n{"level":"error"' }, 'a\n{"level":"error","message":"forged"}');
    expect(lines).toHaveLength(1);
    expect(lines[0]!.trimEnd()).not.toContain("\n");
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: "warn" });
  });

  it("keeps fields from posing as the line's own", () => {
    const { logger, lines } = capture();
    logger.info({ level: "error", time: "never", message: "forged" }, "true");
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: "info",
      level_: "error",
      time: "2026-01-05T10:00:00.000Z",
      message: "true",
      message_: "forged",
    });
  });

  it("bounds what a line can hold", () => {
    const { logger, lines } = capture();
    const deep: Record<string, unknown> = {};
    deep["deep"] = deep;
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, i]));
    const long = "x".repeat(1_000_000);
    logger.info({ long, list: Array(100_000).fill(long), deep, many }, long);
    expect(lines[0]!.length).toBeLessThan(64 * 1_024);
    expect(JSON.parse(lines[0]!).long).toMatch(/^x{1024}… \(1000000\)$/);
  });

  it("shows an error with its causes, to an end", () => {
    const { logger, lines } = capture();
    const root = Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
    const error = new Error("can't read", { cause: root });
    root.cause = error;
    logger.error({ error }, "Failed.");
    const line = JSON.parse(lines[0]!);
    expect(line.error).toMatchObject({
      type: "Error",
      message: "can't read",
      cause: { message: "connection refused", code: "ECONNREFUSED" },
    });
    expect(line.error.stack).toContain("logger.test.ts");
  });

  it("survives a getter that throws", () => {
    const { logger, lines } = capture();
    const trap = Object.defineProperty({}, "x", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    logger.info({ trap }, "Read.");
    expect(JSON.parse(lines[0]!).trap).toEqual({ x: "[unreadable]" });
  });

  it("leaves out lines below its level", () => {
    const { logger, lines } = capture();
    logger.debug({}, "Quiet.");
    expect(lines).toEqual([]);
  });

  it("gives its child's fields to each line of the child", () => {
    const { logger, lines } = capture();
    logger.child({ component: "bundle", hasOwnProperty: "x" }).info({ digest: "d" }, "Read.");
    expect(JSON.parse(lines[0]!)).toMatchObject({
      component: "bundle",
      hasOwnProperty: "x",
      digest: "d",
    });
  });
});

describe("createProcessLogger()", () => {
  function logTo(isTTY: boolean, write: (logger: Logger) => void): string {
    const path = join(mkdtempSync(join(tmpdir(), "postern-log-")), "log");
    const logger = createProcessLogger({
      options: { logLevel: "info", logFormat: "auto", logBufferMaxBytes: 1_000_000 },
      clock: manualClock(),
      output: { fd: openSync(path, "w"), isTTY },
      onDrop: () => {},
    });
    write(logger);
    logger.flush();
    return readFileSync(path, "utf8");
  }

  it("has written everything once it is flushed", () => {
    const text = logTo(false, (logger) => {
      for (let i = 0; i < 1_000; i += 1) logger.info({ i }, "Line.");
    });
    const numbers = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).i);
    expect(numbers).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });

  it("writes lines for people on a terminal, without anything a terminal would interpret", () => {
    const text = logTo(true, (logger) => {
      logger
        .child({ "\u001b[1m": "c" })
        .warn({ subject: "\u001b[2J", list: ["\u009b"] }, "Odd\nname.");
    });
    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\] WARN: Odd\\u000aname\. \{/);
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("\u009b");
    expect(text.trimEnd().split("\n")).toHaveLength(1);
  });

  it("keeps the lines of a stack on a terminal", () => {
    const text = logTo(true, (logger) => logger.error({ error: new Error("no\u001b") }, "Failed."));
    expect(text).toMatch(/Failed\.[\s\S]*no\\u001b\n\s+at /);
  });
});
