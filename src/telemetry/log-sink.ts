import { writeSync } from "node:fs";

const RETRY_MS = 50;
/** How often a flush tries again to reach a reader that is slow: 1 s in all. */
const FLUSH_TRIES_MAX = 20;

/** Where log lines go. */
export interface LogSink {
  write(line: string): void;
  /** Writes out what waits for a slow reader, for as long as a second. */
  flush(): void;
}

/** What a sink needs. */
export interface LogSinkDeps {
  /** In non-blocking mode where it is a pipe, as `process.stdout` makes it. */
  readonly fd: number;
  readonly bufferMaxBytes: number;
  /** A line was lost: too many were waiting, or the reader is gone, or the disk is full. */
  readonly onDrop: () => void;
}

/**
 * Writes each line at once, so that nothing is lost when the process ends, and keeps lines only
 * while a pipe is full, so that a slow reader delays no answer. (sonic-boom, pino's own sink, tries
 * forever to flush to a reader that is gone.)
 */
export function createLogSink({ fd, bufferMaxBytes, onDrop }: LogSinkDeps): LogSink {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let retry: NodeJS.Timeout | undefined;

  /** Writes until nothing waits or the reader has to catch up. */
  function drain(): void {
    while (waiting.length > 0) {
      const bytes = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
      try {
        const written = writeSync(fd, bytes);
        waitingBytes -= written;
        waiting = written < bytes.length ? [bytes.subarray(written)] : [];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
          waiting = [bytes];
          return;
        }
        for (const _ of waiting) onDrop();
        waiting = [];
        waitingBytes = 0;
      }
    }
  }

  function drainLater(): void {
    retry = setTimeout(() => {
      retry = undefined;
      drain();
      if (waiting.length > 0) drainLater();
    }, RETRY_MS);
    // What waits at the end is flushed; it is no reason to stay.
    retry.unref();
  }

  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (waitingBytes + bytes.length > bufferMaxBytes) {
        onDrop();
        return;
      }
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (retry !== undefined) return;
      drain();
      if (waiting.length > 0) drainLater();
    },
    flush() {
      drain();
      for (let tries = 0; waiting.length > 0 && tries < FLUSH_TRIES_MAX; tries += 1) {
        sleep(RETRY_MS);
        drain();
      }
    },
  };
}

/** Blocks the thread; only for a process that is about to end. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
