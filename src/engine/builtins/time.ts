import { decimalToBigInt, readDecimal } from "../term-decimal.ts";
import { type Term, termInteger } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily, type TakeSteps } from "./builtin.ts";
import { type CivilTime, daysInMonth, weekdayOf } from "./civil-time.ts";
import { parseDuration } from "./duration.ts";
import { type Layout, parseLayout, WEEKDAYS } from "./go-layout.ts";
import { checkText } from "./limits.ts";
import { asInt, asNumber, asString, isArray } from "./operands.ts";
import { formatTime } from "./time-format.ts";
import { parseTime } from "./time-parse.ts";
import {
  instantOf,
  type TimeZone,
  timeZoneOf,
  utc,
  type ZonedTime,
  zonedTimeAt,
} from "./time-zone.ts";

const RFC3339 = parseLayout("RFC3339");
const RFC3339_NANO = parseLayout("RFC3339Nano");
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const NUMBER_DIGITS_MAX = 19;
/** Steps beyond this leave the range of 64-bit nanoseconds whatever they start from. */
const STEP_MAX = 40_000_000_000;

/** Calendars, clocks and their text; instants are nanoseconds since the epoch, in 64 bits. */
export const timeBuiltins: BuiltinFamily = {
  "time.now_ns": (_, context) => termInteger(context.nowNs),
  "time.date": ([moment], { takeSteps }) => {
    const { year, month, day } = civilOf(momentOf(moment, takeSteps));
    return [year, month, day].map(termInteger);
  },
  "time.clock": ([moment], { takeSteps }) => {
    const { hour, minute, second } = civilOf(momentOf(moment, takeSteps));
    return [hour, minute, second].map(termInteger);
  },
  "time.weekday": ([moment], { takeSteps }) =>
    WEEKDAYS[weekdayOf(civilOf(momentOf(moment, takeSteps)))]!,
  "time.add_date": ([moment, years, months, days], { takeSteps }) =>
    addDate(momentOf(moment, takeSteps), {
      years: asInt(years),
      months: asInt(months),
      days: asInt(days),
    }),
  "time.diff": ([a, b], { takeSteps }) =>
    difference(momentOf(a, takeSteps), momentOf(b, takeSteps)).map(termInteger),
  "time.format": ([term], { takeSteps }) => {
    const moment = momentOf(term, takeSteps);
    return checkText(formatTime(zonedTimeOf(moment), moment.layout));
  },
  "time.parse_ns": ([layout, text]) =>
    termInstant(parseTime(parseLayout(asString(layout)), asString(text))),
  "time.parse_rfc3339_ns": ([text]) => termInstant(parseTime(RFC3339, asString(text))),
  "time.parse_duration_ns": ([text]) => termInteger(parseDuration(asString(text))),
};

/** An operand `ns`, `[ns, zone]` or `[ns, zone, layout]`. */
interface Moment {
  readonly nanoseconds: bigint;
  readonly zone: TimeZone;
  readonly layout: Layout;
}

/** Steps to look a zone up: some ten microseconds. */
const ZONE_STEPS = 4000;

function momentOf(term: Term | undefined, takeSteps: TakeSteps): Moment {
  const [instant, zone, layout] = isArray(term) ? term : [term];
  if (zone !== undefined && zone !== "UTC") takeSteps(ZONE_STEPS);
  const layoutText = layout === undefined ? "" : asString(layout);
  return {
    zone: zone === undefined ? utc : timeZoneOf(asString(zone)),
    layout: layoutText === "" ? RFC3339_NANO : parseLayout(layoutText),
    nanoseconds: instantOfNumber(instant),
  };
}

function instantOfNumber(term: Term | undefined): bigint {
  const value = decimalToBigInt(readDecimal(asNumber(term).text), NUMBER_DIGITS_MAX);
  if (value === undefined || value < INT64_MIN || value > INT64_MAX) {
    throw new BuiltinError("expected nanoseconds in 64 bits");
  }
  return value;
}

function termInstant(nanoseconds: bigint): Term {
  if (nanoseconds < INT64_MIN || nanoseconds > INT64_MAX) {
    throw new BuiltinError("outside of the years 1678 to 2262");
  }
  return termInteger(nanoseconds);
}

function zonedTimeOf(moment: Moment): ZonedTime {
  return zonedTimeAt(moment.zone, moment.nanoseconds);
}

function civilOf(moment: Moment): CivilTime {
  return zonedTimeOf(moment).time;
}

function addDate(
  moment: Moment,
  step: { readonly years: number; readonly months: number; readonly days: number },
): Term {
  if (Object.values(step).some((count) => Math.abs(count) > STEP_MAX)) {
    throw new BuiltinError("outside of the years 1678 to 2262");
  }
  const time = civilOf(moment);
  const moved = {
    ...time,
    year: time.year + step.years,
    month: time.month + step.months,
    day: time.day + step.days,
  };
  return termInstant(instantOf(moment.zone, moved));
}

/** Years, months, days, hours, minutes and seconds between two moments, in the zone of `a`. */
function difference(a: Moment, b: Moment): number[] {
  const [from, to] = [a.nanoseconds, b.nanoseconds]
    .sort((x, y) => (x < y ? -1 : 1))
    .map((nanoseconds) => zonedTimeAt(a.zone, nanoseconds).time) as [CivilTime, CivilTime];
  let years = to.year - from.year;
  let months = to.month - from.month;
  let days = to.day - from.day;
  let hours = to.hour - from.hour;
  let minutes = to.minute - from.minute;
  let seconds = to.second - from.second;
  if (seconds < 0) {
    seconds += 60;
    minutes -= 1;
  }
  if (minutes < 0) {
    minutes += 60;
    hours -= 1;
  }
  if (hours < 0) {
    hours += 24;
    days -= 1;
  }
  if (days < 0) {
    days += daysInMonth(from.year, from.month);
    months -= 1;
  }
  if (months < 0) {
    months += 12;
    years -= 1;
  }
  return [years, months, days, hours, minutes, seconds];
}
