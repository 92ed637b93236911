import { BuiltinError } from "./builtin.ts";
import { type CivilTime, civilFromSeconds, secondsFromCivil } from "./civil-time.ts";

/** A zone of the IANA database. */
export interface TimeZone {
  readonly name: string;
  /** Seconds east of UTC at an instant, given in seconds since the epoch. */
  offsetAt(seconds: number): number;
}

/** A moment as the clocks of a zone show it. */
export interface ZonedTime {
  readonly time: CivilTime;
  readonly zone: TimeZone;
  /** Seconds east of UTC at that moment. */
  readonly offset: number;
}

/** The zone that needs no lookup. */
export const utc: TimeZone = { name: "UTC", offsetAt: () => 0 };

/** Zones that are UTC by another name. */
const UTC_NAMES: ReadonlySet<string> = new Set(
  ["UTC", "UCT", "Universal", "Zulu"].flatMap((name) => [name, `Etc/${name}`]),
);

/** Names of the database start with a letter; Temporal also takes offsets and whole dates. */
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+/-]*$/;

/** Zones met so far; there are as many as the database has names. */
const zones = new Map<string, TimeZone>();

/** The zone of that name, spelt exactly as in the database; `Local` is the machine's. */
export function timeZoneOf(name: string): TimeZone {
  if (name === "" || UTC_NAMES.has(name)) return utc;
  const id = name === "Local" ? Temporal.Now.timeZoneId() : name;
  const known = zones.get(id);
  if (known !== undefined) return known;
  if (!ZONE_NAME.test(id) || knownIdOf(id) !== id) throw new BuiltinError("unknown time zone");
  const zone: TimeZone = {
    name: id,
    offsetAt: (seconds) => temporalAt(id, seconds).offsetNanoseconds / 1_000_000_000,
  };
  zones.set(id, zone);
  return zone;
}

/** What the zone's clocks show at an instant. */
export function zonedTimeAt(zone: TimeZone, nanoseconds: bigint): ZonedTime {
  const nanosecond = Number(((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  const seconds = Number((nanoseconds - BigInt(nanosecond)) / 1_000_000_000n);
  const offset = zone.offsetAt(seconds);
  return { time: civilFromSeconds(seconds + offset, nanosecond), zone, offset };
}

/**
 * The instant at which the zone's clocks show a time. In a gap or an overlap Go takes the offset
 * that holds where the clock reading, taken for UTC, lies; and then looks once more.
 */
export function instantOf(zone: TimeZone, time: CivilTime): bigint {
  const reading = secondsFromCivil(time);
  // Beyond what 64 bits of nanoseconds hold no zone can bring it back.
  const isNear = Math.abs(reading) < 10_000_000_000;
  const offset = isNear ? zone.offsetAt(reading - zone.offsetAt(reading)) : 0;
  return BigInt(reading - offset) * 1_000_000_000n + BigInt(time.nanosecond);
}

function knownIdOf(name: string): string | undefined {
  try {
    return temporalAt(name, 0).timeZoneId;
  } catch {
    // Temporal throws for a zone it does not know.
    return undefined;
  }
}

function temporalAt(id: string, seconds: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(seconds * 1000).toZonedDateTimeISO(id);
}
