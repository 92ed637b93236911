import type { Clock } from "../base/clock.ts";
import { type Deadline, deadlineIn, remainingMs } from "../base/deadline.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { SetChange, SetKey } from "./cache.ts";
import { encodeKey } from "./key.ts";
import type { CacheOptions } from "./options.ts";
import type { Timers } from "./timers.ts";

/** What one asker wants of a flight. */
export interface Boarding {
  /** Until when this asker waits; others on the same flight have their own. */
  readonly deadline: Deadline;
  /** The read must begin after this call. */
  readonly fresh: boolean;
}

/** Shared reads of the directory: at most one per key that a new asker may join. */
export interface Flights {
  /**
   * The outcome of the joined or newly opened flight. Throws `PdpError`: `deadline-exceeded` for
   * this asker's own deadline, `resource-exhausted`, `unavailable`, or what the read threw.
   */
  board(key: SetKey, boarding: Boarding): Promise<PermissionSet>;
  /**
   * Later askers join no read that has begun and may have missed `change`. Those who are on it
   * asked before the change was known, and get what it brings.
   */
  fence(change: SetChange): void;
  /** Reads in flight, and askers waiting for one. */
  load(): { readonly reading: number; readonly waiting: number };
}

/** What flights are handed. */
export interface FlightsDeps {
  /** Reads, and remembers what it read. */
  readonly read: (key: SetKey, deadline: Deadline) => Promise<PermissionSet>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly options: Pick<CacheOptions, "fillsMax" | "waitersMax" | "fillTimeoutMs">;
}

interface Flight {
  readonly key: SetKey;
  /** The flight's own, so that no asker's short deadline ends the read for the others. */
  readonly deadline: Deadline;
  readonly outcome: PromiseWithResolvers<PermissionSet>;
  hasBegun: boolean;
  waiters: number;
}

/** Makes a dispatcher of flights. */
export function createFlights(deps: FlightsDeps): Flights {
  const { clock, timers, options } = deps;
  const joinable = new Map<string, Flight>();
  const queue = new Set<Flight>();
  let reading = 0;
  let waiting = 0;

  function close(flight: Flight): void {
    const key = encodeKey(flight.key);
    if (joinable.get(key) === flight) joinable.delete(key);
    queue.delete(flight);
  }

  function open(key: SetKey): Flight {
    const flight: Flight = {
      key,
      deadline: deadlineIn(clock, options.fillTimeoutMs),
      outcome: Promise.withResolvers(),
      hasBegun: false,
      waiters: 0,
    };
    const stopTimer = timers.after(options.fillTimeoutMs, () => {
      close(flight);
      flight.outcome.reject(silentSourceError(options.fillTimeoutMs));
    });
    // Nobody may be left to hear of a failure.
    flight.outcome.promise.catch(() => {}).finally(stopTimer);
    joinable.set(encodeKey(key), flight);
    queue.add(flight);
    return flight;
  }

  async function fly(flight: Flight): Promise<void> {
    reading += 1;
    flight.hasBegun = true;
    try {
      flight.outcome.resolve(await deps.read(flight.key, flight.deadline));
    } catch (error) {
      flight.outcome.reject(readError(error));
    } finally {
      close(flight);
      reading -= 1;
      beginQueued();
    }
  }

  function beginQueued(): void {
    for (const flight of queue) {
      if (reading >= options.fillsMax) return;
      queue.delete(flight);
      void fly(flight);
    }
  }

  async function wait(flight: Flight, deadline: Deadline): Promise<PermissionSet> {
    waiting += 1;
    flight.waiters += 1;
    try {
      return await untilDeadline(flight.outcome.promise, deadline, deps);
    } finally {
      waiting -= 1;
      flight.waiters -= 1;
      // Nobody wants it any more, and it would only delay those behind it.
      if (flight.waiters === 0 && !flight.hasBegun) close(flight);
    }
  }

  return {
    async board(key, { deadline, fresh }) {
      if (remainingMs(clock, deadline) === 0) throw lateError();
      if (waiting >= options.waitersMax) {
        throw crowdedError(options.waitersMax);
      }
      const joined = joinable.get(encodeKey(key));
      const flight = joined === undefined || (fresh && joined.hasBegun) ? open(key) : joined;
      beginQueued();
      return wait(flight, deadline);
    },

    fence({ subjects }) {
      const touched = subjects === "all" ? undefined : new Set(subjects);
      for (const flight of joinable.values()) {
        const hasMissed = flight.hasBegun && (touched?.has(flight.key.subjectId) ?? true);
        if (hasMissed) close(flight);
      }
    },

    load: () => ({ reading, waiting }),
  };
}

async function untilDeadline<T>(
  outcome: Promise<T>,
  deadline: Deadline,
  { clock, timers }: Pick<FlightsDeps, "clock" | "timers">,
): Promise<T> {
  if (!Number.isFinite(deadline.atMonotonicMs)) return outcome;
  const late = Promise.withResolvers<never>();
  const leftMs = remainingMs(clock, deadline);
  const stopTimer = timers.after(leftMs, () => late.reject(lateError()));
  try {
    return await Promise.race([outcome, late.promise]);
  } finally {
    stopTimer();
  }
}

function lateError(): PdpError {
  return new PdpError("deadline-exceeded", "the deadline passed while reading the permission set");
}

function crowdedError(waitersMax: number): PdpError {
  return new PdpError(
    "resource-exhausted",
    `${waitersMax} requests are waiting for permission sets already`,
  );
}

function silentSourceError(timeoutMs: number): PdpError {
  return new PdpError("unavailable", `the directory did not answer within ${timeoutMs} ms`);
}

// The deadline that passed was the read's own; the asker's may be far away.
function readError(error: unknown): PdpError {
  const failure = toPdpError(error);
  if (failure.kind !== "deadline-exceeded") return failure;
  return new PdpError("unavailable", "the directory did not answer in time", { cause: failure });
}
