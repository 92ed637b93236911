import type { Timers } from "../base/timers.ts";

/** Waiting that can be ended all at once. */
export interface Pauses {
  /** Resolves after `ms`, or when `end` is called. */
  pause(ms: number): Promise<void>;
  /** Whether `end` was called. */
  isEnded(): boolean;
  end(): void;
}

/** Makes pauses on `timers`. */
export function createPauses(timers: Timers): Pauses {
  const waiting = new Set<() => void>();
  let isEnded = false;
  return {
    isEnded: () => isEnded,
    pause(ms) {
      if (isEnded) return Promise.resolve();
      return new Promise((resolve) => {
        const end = (): void => {
          waiting.delete(end);
          stopTimer();
          resolve();
        };
        const stopTimer = timers.after(ms, end);
        waiting.add(end);
      });
    },
    end() {
      isEnded = true;
      for (const end of waiting) end();
    },
  };
}
