import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createLogSink, type LogSink } from "./log-sink.ts";

const BUFFER_MAX_BYTES = 1_000_000;
/** Linux's pipes hold 64 KiB. */
const PIPE_BYTES = 65_536;

interface Pipe {
  readonly sink: LogSink;
  readonly read: (bytesMax: number) => string;
  readonly dropped: () => number;
  readonly reader: number;
}

/** A pipe as standard output is one: non-blocking, and read only when the test reads. */
function pipe(): Pipe {
  const path = join(mkdtempSync(join(tmpdir(), "postern-sink-")), "pipe");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  let drops = 0;
  const onDrop = () => {
    drops += 1;
  };
  return {
    sink: createLogSink({ fd, bufferMaxBytes: BUFFER_MAX_BYTES, onDrop }),
    dropped: () => drops,
    reader,
    read: (bytesMax) => {
      const bytes = Buffer.alloc(bytesMax);
      return bytes.toString("utf8", 0, readSync(reader, bytes));
    },
  };
}

const line = (index: number) => `${String(index).padStart(99, "0")}\n`;

describe("createLogSink()", () => {
  it("returns at once while nobody reads, and drops what exceeds its bound", () => {
    const { sink, dropped } = pipe();
    for (let i = 0; i < 20_000; i += 1) sink.write(line(i));
    const kept = Math.floor((PIPE_BYTES + BUFFER_MAX_BYTES) / 100);
    expect(20_000 - dropped()).toBeGreaterThan(kept - 50);
    expect(20_000 - dropped()).toBeLessThanOrEqual(kept);
  });

  it("keeps what waits in order until the reader has caught up", () => {
    const { sink, dropped, read } = pipe();
    for (let i = 0; i < 2_000; i += 1) sink.write(line(i));
    let text = read(PIPE_BYTES);
    while (text.length < 200_000) {
      sink.flush();
      text += read(PIPE_BYTES);
    }
    expect(text).toBe(Array.from({ length: 2_000 }, (_, i) => line(i)).join(""));
    expect(dropped()).toBe(0);
  });

  it("gives up to flush to a reader that is gone", () => {
    const { sink, dropped, reader } = pipe();
    for (let i = 0; i < 2_000; i += 1) sink.write(line(i));
    closeSync(reader);
    sink.flush();
    sink.write("one more\n");
    expect(dropped()).toBeGreaterThan(1);
  });

  it("writes again when the reader reads again, without being asked", async () => {
    const { sink, read } = pipe();
    for (let i = 0; i < 1_000; i += 1) sink.write(line(i));
    let text = read(PIPE_BYTES);
    await expect
      .poll(() => {
        text += readable(read);
        return text.length;
      })
      .toBe(100_000);
  });
});

function readable(read: Pipe["read"]): string {
  try {
    return read(PIPE_BYTES);
  } catch {
    // Nothing there yet.
    return "";
  }
}
