import type { Clock } from "../base/clock.ts";
import type { Store } from "./store.ts";

/** What a store that is prepared when it first can be is made of. */
export interface PreparedStoreDeps {
  readonly store: Store;
  /** All that must have succeeded once before the store is of use. */
  readonly prepare: () => Promise<void>;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** Whoever asks in between is told at once: a host that is not heard takes seconds to find out. */
const RETRY_MS = 1_000;

/**
 * The store, prepared by whoever needs it: at most one attempt at a time and one a second. While it
 * can't be, everything fails as the last attempt did.
 */
export function createPreparedStore({ store, prepare, clock }: PreparedStoreDeps): Store {
  let attempt: Promise<void> | undefined;
  let failedAtMs: number | undefined;

  const prepared = (): Promise<void> => {
    const isOver = failedAtMs !== undefined && clock.monotonicMs() - failedAtMs >= RETRY_MS;
    if (attempt === undefined || isOver) {
      failedAtMs = undefined;
      attempt = prepare();
      attempt.catch(() => {
        failedAtMs = clock.monotonicMs();
      });
    }
    return attempt;
  };
  return {
    dialect: store.dialect,
    prepare: prepared,
    isUpToDate: store.isUpToDate,
    async read(work) {
      await prepared();
      return store.read(work);
    },
    async write(work) {
      await prepared();
      return store.write(work);
    },
    async tryOut(work) {
      await prepared();
      return store.tryOut(work);
    },
    close: store.close,
  };
}
