import { setImmediate } from "node:timers/promises";

/**
 * Shares the thread among what takes long: one has its turn per turn of the event loop, in the order
 * of asking, so that calls that take microseconds come in between, however many wait.
 */
export interface Turns {
  /** Whether somebody waits for a turn. */
  areTaken(): boolean;
  /** Resolves when it is the caller's turn, which ends when it awaits anything. */
  next(): Promise<void>;
}

/** Makes a queue that nobody waits in. */
export function createTurns(): Turns {
  let last = Promise.resolve();
  let waiting = 0;
  return {
    areTaken: () => waiting > 0,
    next: () => {
      waiting++;
      last = last.then(async () => {
        await setImmediate();
        waiting--;
      });
      return last;
    },
  };
}
