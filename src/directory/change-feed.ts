import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { DirectoryChange } from "./directory.ts";
import { type ChangePosition, readChanges } from "./read-changes.ts";
import type { Store } from "./store.ts";

/** Announces committed changes, whichever process made them. */
export interface ChangeFeed {
  watch(listener: (change: DirectoryChange) => void): () => void;
  /** Looks now, and resolves when everything committed before the call is announced. */
  poll(): Promise<void>;
  /** The instant (`Clock.monotonicMs`) up to which everything committed has been announced. */
  announcedUpToMs(): number;
  close(): void;
}

/** Calls `run` every `intervalMs` until the function it gives is called. */
export type Repeat = (run: () => void, intervalMs: number) => () => void;

/** The event loop's own timer; does not keep the process alive. */
export const repeatWithTimer: Repeat = (run, intervalMs) => {
  const timer = setInterval(run, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
};

/** A look that takes longer leaves a revocation unannounced for longer than it may be. */
const LOOK_MAX_MS = 1_000;

/** What a feed is made of. */
export interface ChangeFeedDeps {
  readonly store: Store;
  /** What is committed after it is announced. */
  readonly position: ChangePosition;
  /** Whether it could be read so far; true unless given. */
  readonly isReadable?: boolean;
  readonly pollIntervalMs: number;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly repeat: Repeat;
  readonly logger: Logger;
  /** Told when looking begins to fail, and when it succeeds again. */
  readonly report: (isReadable: boolean) => void;
}

/** Starts a feed. */
export function createChangeFeed(deps: ChangeFeedDeps): ChangeFeed {
  const audience = createAudience(deps.logger);
  let announced = deps.position;
  let running: Promise<void> | undefined;
  let runningMs = 0;
  let isClosed = false;
  let isReadable = deps.isReadable ?? true;
  let announcedUpToMs = Number.NEGATIVE_INFINITY;

  const look = async (): Promise<void> => {
    const lookedAtMs = deps.clock.monotonicMs();
    try {
      const read = await deps.store.read((transaction) => readChanges(transaction, announced));
      if (isClosed) return;
      announced = read.position;
      read.changes.forEach(audience.tell);
      // Who has missed a change has missed it for good: only the time to live bounds what follows.
      if (!audience.hasMissedOne()) announcedUpToMs = lookedAtMs;
      setReadable(true);
    } catch (error) {
      if (!isClosed) fail(error);
    }
  };
  const fail = (error: unknown): void => {
    if (isReadable) deps.logger.error({ error }, "The directory can't be read; trying on.");
    setReadable(false);
  };
  const setReadable = (now: boolean): void => {
    if (now === isReadable) return;
    isReadable = now;
    deps.report(now);
  };
  const start = (): Promise<void> => {
    runningMs = 0;
    running = look().finally(() => {
      running = undefined;
    });
    return running;
  };
  const stop = deps.repeat(() => {
    if (running === undefined) {
      start();
      return;
    }
    runningMs += deps.pollIntervalMs;
    if (runningMs >= LOOK_MAX_MS) fail(new Error(`no answer in ${runningMs} ms`));
  }, deps.pollIntervalMs);

  return {
    watch: audience.join,
    async poll() {
      // A look that is under way may have read before the commit.
      await running;
      await (running ?? start());
    },
    announcedUpToMs: () => announcedUpToMs,
    close() {
      isClosed = true;
      stop();
    },
  };
}

interface Audience {
  join(listener: (change: DirectoryChange) => void): () => void;
  tell(change: DirectoryChange): void;
  /** Somebody failed to take a change. */
  hasMissedOne(): boolean;
}

function createAudience(logger: Logger): Audience {
  const listeners = new Set<(change: DirectoryChange) => void>();
  let hasMissedOne = false;
  return {
    join(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    tell(change) {
      for (const listener of [...listeners]) {
        try {
          listener(change);
        } catch (error) {
          // One listener's fault must not keep a revocation from the others.
          hasMissedOne = true;
          logger.error({ error }, "A listener failed to take a directory change.");
        }
      }
    },
    hasMissedOne: () => hasMissedOne,
  };
}
