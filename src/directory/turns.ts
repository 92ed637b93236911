import { PdpError } from "../decision/error.ts";

/** Lets so many in at once, in the order in which they came. */
export interface Turns {
  /** Resolves when it is the caller's turn. Throws `PdpError` `resource-exhausted`, `unavailable`. */
  take(): Promise<void>;
  /** Ends a turn that was taken. */
  give(): void;
}

/** How turns are taken. */
export interface TurnsLimits {
  /** Turns at once. */
  readonly max: number;
  /** How many may wait for one; more are refused. */
  readonly waitingMax: number;
  /** How long one may wait, in milliseconds. */
  readonly waitMaxMs: number;
  /** Told how many wait, whenever that changes. */
  readonly onWaiting: (count: number) => void;
}

/** Makes turns that nobody has taken. */
export function createTurns(limits: TurnsLimits): Turns {
  const queue = new Set<() => void>();
  let taken = 0;
  const changed = (): void => limits.onWaiting(queue.size);

  const wait = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const leave = (): void => {
        queue.delete(enter);
        clearTimeout(timer);
        changed();
      };
      const enter = (): void => {
        leave();
        resolve();
      };
      const timer = setTimeout(() => {
        leave();
        reject(new PdpError("unavailable", "the directory is too busy, or can't be reached"));
      }, limits.waitMaxMs);
      queue.add(enter);
      changed();
    });
  return {
    async take() {
      if (taken < limits.max) {
        taken += 1;
        return;
      }
      if (queue.size >= limits.waitingMax) {
        throw new PdpError("resource-exhausted", "too many directory reads are waiting");
      }
      await wait();
    },
    give() {
      const [next] = queue;
      // The turn goes over to who has waited longest.
      if (next === undefined) taken -= 1;
      else next();
    },
  };
}
