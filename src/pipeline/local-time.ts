import { weekdays } from "./options.ts";

const MINUTE_MS = 60_000;

/** One instant, read once per decision so that nothing in it disagrees about the time. */
export interface Instant {
  readonly ms: number;
  readonly ns: bigint;
}

/** `input.context.time` at an instant. */
export type LocalTime = {
  readonly ns: bigint;
  /** Local time with its offset, to the millisecond. */
  readonly rfc3339: string;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** The English name. */
  readonly weekday: string;
  readonly zone: string;
};

/** Tells the local time at an instant. */
export type TimeOf = (instant: Instant) => LocalTime;

/** What is the same for every instant of a minute. */
interface Minute {
  readonly startMs: number;
  /** `2026-01-05T10:00:` */
  readonly rfc3339Start: string;
  /** `Z` or `+01:00` */
  readonly offset: string;
  readonly fields: Omit<LocalTime, "ns" | "rfc3339">;
}

/**
 * Makes the function that tells local time in an IANA zone. Throws for a zone that Intl does not
 * know. The zone is asked once a minute: offsets change on whole minutes, and asking takes
 * microseconds.
 */
export function createTimeOf(zone: string): TimeOf {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  let minute: Minute | undefined;
  let last: LocalTime | undefined;
  return ({ ms, ns }) => {
    if (last?.ns === ns) return last;
    const startMs = Math.floor(ms / MINUTE_MS) * MINUTE_MS;
    if (minute?.startMs !== startMs) minute = describeMinute(startMs, zone, format);
    const { fields, offset, rfc3339Start } = minute;
    const seconds = ((ms - startMs) / 1000).toFixed(3).padStart(6, "0");
    last = {
      ns,
      rfc3339: `${rfc3339Start}${seconds}${offset}`,
      year: fields.year,
      month: fields.month,
      day: fields.day,
      hour: fields.hour,
      minute: fields.minute,
      weekday: fields.weekday,
      zone,
    };
    return last;
  };
}

function describeMinute(startMs: number, zone: string, format: Intl.DateTimeFormat): Minute {
  const offsetMinutes = offsetAt(startMs, format);
  // The UTC fields of a shifted instant are the local fields of the instant itself.
  const local = new Date(startMs + offsetMinutes * MINUTE_MS);
  return {
    startMs,
    rfc3339Start: local.toISOString().slice(0, "2026-01-05T10:00:".length),
    offset: offsetText(offsetMinutes),
    fields: {
      year: local.getUTCFullYear(),
      month: local.getUTCMonth() + 1,
      day: local.getUTCDate(),
      hour: local.getUTCHours(),
      minute: local.getUTCMinutes(),
      weekday: weekdays[local.getUTCDay()]!,
      zone,
    },
  };
}

function offsetAt(ms: number, format: Intl.DateTimeFormat): number {
  const name = format.formatToParts(ms).find((part) => part.type === "timeZoneName")?.value ?? "";
  const match = /^GMT([+-])(\d\d):(\d\d)$/.exec(name);
  if (match === null) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return match[1] === "-" ? -minutes : minutes;
}

function offsetText(minutes: number): string {
  if (minutes === 0) return "Z";
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
