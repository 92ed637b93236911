import type { Clock } from "../base/clock.ts";
import { type Deadline, deadlineIn, remainingMs } from "../base/deadline.ts";
import { createRefusalCounter, type EarlyRefusal } from "../base/early-refusals.ts";
import type { Gauge, Meter } from "../base/meter.ts";
import type { Timers } from "../base/timers.ts";
import { untilDeadline } from "../base/until-deadline.ts";
import { PdpError, toPdpError } from "../decision/error.ts";
import type { PermissionSet } from "../decision/permission-set.ts";
import type { SetChange, SetKey } from "./cache.ts";
import { encodeKey } from "./key.ts";
import type { CacheOptions } from "./options.ts";
import { ReadTimes } from "./read-times.ts";

/** What one asker wants of a flight. */
export interface Boarding {
  /** Until when this asker waits; others on the same flight have their own. */
  readonly deadline: Deadline;
  /** The read must begin after this call. */
  readonly fresh: boolean;
}

/** What flights are handed. */
export interface FlightsDeps {
  /** Reads, and remembers what it read. */
  readonly read: (key: SetKey, deadline: Deadline) => Promise<PermissionSet>;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Told of each read's end, also when nobody waits for it any more. */
  readonly ended: (failure: PdpError | undefined) => void;
  readonly meter: Meter;
  readonly options: Pick<CacheOptions, "fillsMax" | "waitersMax" | "fillTimeoutMs">;
}

interface Flight {
  readonly key: SetKey;
  /** The flight's own, so that no asker's short deadline ends the read for the others. */
  readonly deadline: Deadline;
  readonly outcome: PromiseWithResolvers<PermissionSet>;
  /** On the monotonic clock; `undefined` while it waits for its turn. */
  begunMs: number | undefined;
  waiters: number;
}

/** Shared reads of the directory: at most one per key that a new asker may join. */
export class Flights {
  readonly #deps: FlightsDeps;
  readonly #joinable = new Map<string, Flight>();
  readonly #queue = new Set<Flight>();
  readonly #gauges: { readonly reading: Gauge; readonly waiting: Gauge };
  readonly #readTimes = new ReadTimes();
  readonly #refused: (why: EarlyRefusal) => void;
  #reading = 0;
  #waiting = 0;

  constructor(deps: FlightsDeps) {
    this.#deps = deps;
    this.#refused = createRefusalCounter(deps.meter);
    this.#gauges = {
      reading: deps.meter.gauge({
        name: "postern_permission_set_reads",
        help: "Reads of permission sets from the directory that are under way.",
      }),
      waiting: deps.meter.gauge({
        name: "postern_permission_set_waiters",
        help: "Requests waiting for a permission set to be read.",
      }),
    };
  }

  /**
   * The outcome of the joined or newly opened flight. Throws `PdpError`: `deadline-exceeded` for
   * this asker's own deadline, at once where it can't be kept, `resource-exhausted`,
   * `unavailable`, or what the read threw.
   */
  async board(key: SetKey, { deadline, fresh }: Boarding): Promise<PermissionSet> {
    const { clock, options } = this.#deps;
    if (remainingMs(clock, deadline) === 0) throw lateError();
    if (this.#waiting >= options.waitersMax) throw crowdedError(options.waitersMax);
    const joined = this.#joinable.get(encodeKey(key));
    const isOpen = joined !== undefined && !(fresh && joined.begunMs !== undefined);
    const flight = isOpen ? joined : this.#open(key);
    this.#beginQueued();
    this.#refuseTooLate(flight, deadline);
    return this.#wait(flight, deadline);
  }

  /**
   * Who can't be answered in time is told at once. What has been begun for it goes on, for the next
   * asker, and for the estimate, which would stay as it is if nobody read.
   */
  #refuseTooLate(flight: Flight, deadline: Deadline): void {
    const { clock, options } = this.#deps;
    const { begunMs } = flight;
    const readMs = this.#readTimes.leastMs;
    const leftMs = remainingMs(clock, deadline);
    if (begunMs !== undefined) {
      if (leftMs >= readMs - (clock.monotonicMs() - begunMs)) return;
      this.#refused("directory-read");
      throw tooLateError();
    }
    // It is the last of the queue, unless others wait for it too.
    const before = flight.waiters > 0 ? 0 : this.#queue.size - 1;
    if (leftMs >= readMs * (1 + Math.floor(before / options.fillsMax))) return;
    this.#dropUnwanted(flight);
    this.#refused("directory-queue");
    throw tooLateError();
  }

  /**
   * Later askers join no read that has begun and may have missed `change`. Those who are on it
   * asked before the change was known, and get what it brings.
   */
  fence({ subjects }: SetChange): void {
    const touched = subjects === "all" ? undefined : new Set(subjects);
    for (const flight of this.#joinable.values()) {
      const hasMissed =
        flight.begunMs !== undefined && (touched?.has(flight.key.subjectId) ?? true);
      if (hasMissed) this.#close(flight);
    }
  }

  #open(key: SetKey): Flight {
    const { clock, timers, options } = this.#deps;
    const flight: Flight = {
      key,
      deadline: deadlineIn(clock, options.fillTimeoutMs),
      outcome: Promise.withResolvers(),
      begunMs: undefined,
      waiters: 0,
    };
    const stopTimer = timers.after(options.fillTimeoutMs, () => {
      this.#close(flight);
      flight.outcome.reject(silentSourceError(options.fillTimeoutMs));
    });
    const ended = (failure?: PdpError): void => {
      stopTimer();
      // One that waited for its turn until it was too late says nothing of the directory.
      if (flight.begunMs !== undefined) this.#deps.ended(failure);
    };
    flight.outcome.promise.then(() => ended(), ended);
    this.#joinable.set(encodeKey(key), flight);
    this.#queue.add(flight);
    return flight;
  }

  #close(flight: Flight): void {
    const key = encodeKey(flight.key);
    if (this.#joinable.get(key) === flight) this.#joinable.delete(key);
    this.#queue.delete(flight);
  }

  #beginQueued(): void {
    for (const flight of this.#queue) {
      if (this.#reading >= this.#deps.options.fillsMax) return;
      this.#queue.delete(flight);
      void this.#fly(flight);
    }
  }

  async #fly(flight: Flight): Promise<void> {
    this.#gauges.reading.set(++this.#reading);
    const { clock, read } = this.#deps;
    const begunMs = clock.monotonicMs();
    flight.begunMs = begunMs;
    try {
      const set = await read(flight.key, flight.deadline);
      this.#readTimes.note(clock.monotonicMs() - begunMs);
      flight.outcome.resolve(set);
    } catch (error) {
      flight.outcome.reject(readError(error));
    } finally {
      this.#close(flight);
      this.#gauges.reading.set(--this.#reading);
      this.#beginQueued();
    }
  }

  async #wait(flight: Flight, deadline: Deadline): Promise<PermissionSet> {
    this.#gauges.waiting.set(++this.#waiting);
    flight.waiters += 1;
    try {
      const { clock, timers } = this.#deps;
      return await untilDeadline(flight.outcome.promise, deadline, {
        clock,
        timers,
        late: lateError,
      });
    } finally {
      this.#gauges.waiting.set(--this.#waiting);
      flight.waiters -= 1;
      this.#dropUnwanted(flight);
    }
  }

  /** One that nobody waits for and that has not begun would only delay those behind it. */
  #dropUnwanted(flight: Flight): void {
    if (flight.waiters === 0 && flight.begunMs === undefined) this.#close(flight);
  }
}

function lateError(): PdpError {
  return new PdpError("deadline-exceeded", "the deadline passed while reading the permission set");
}

function tooLateError(): PdpError {
  const message = "the permission set can't be read in the time that is left";
  return new PdpError("deadline-exceeded", message);
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
