import { BuiltinUnsupported } from "./builtin.ts";
import { type CivilTime, dayOfYearOf, weekdayOf } from "./civil-time.ts";
import { type Layout, MONTHS, WEEKDAYS } from "./go-layout.ts";
import { type TimeZone, utc, type ZonedTime } from "./time-zone.ts";

/** Writes a moment as Go's Time.Format does. */
export function formatTime(moment: ZonedTime, layout: Layout): string {
  const written = layout.parts.map(({ literal, field }) => literal + formatField(moment, field));
  return written.join("") + layout.rest;
}

function formatField(moment: ZonedTime, field: string): string {
  const sign = field[0]!;
  if (sign === "." || sign === ",") return formatFraction(moment.time.nanosecond, field);
  if (sign === "-" || sign === "Z") return formatOffset(moment.offset, field);
  if (field === "MST") return abbreviationOf(moment.zone);
  return FIELDS[field]!(moment.time);
}

const FIELDS: Readonly<Record<string, (time: CivilTime) => string>> = {
  "2006": (time) => padded(time.year, 4, "0"),
  "06": (time) => padded(time.year % 100, 2, "0"),
  January: (time) => MONTHS[time.month - 1]!,
  Jan: (time) => MONTHS[time.month - 1]!.slice(0, 3),
  "1": (time) => String(time.month),
  "01": (time) => padded(time.month, 2, "0"),
  Monday: (time) => WEEKDAYS[weekdayOf(time)]!,
  Mon: (time) => WEEKDAYS[weekdayOf(time)]!.slice(0, 3),
  "2": (time) => String(time.day),
  _2: (time) => padded(time.day, 2, " "),
  "02": (time) => padded(time.day, 2, "0"),
  __2: (time) => padded(dayOfYearOf(time), 3, " "),
  "002": (time) => padded(dayOfYearOf(time), 3, "0"),
  "15": (time) => padded(time.hour, 2, "0"),
  "3": (time) => String(hourOfHalfDay(time)),
  "03": (time) => padded(hourOfHalfDay(time), 2, "0"),
  "4": (time) => String(time.minute),
  "04": (time) => padded(time.minute, 2, "0"),
  "5": (time) => String(time.second),
  "05": (time) => padded(time.second, 2, "0"),
  PM: (time) => (time.hour >= 12 ? "PM" : "AM"),
  pm: (time) => (time.hour >= 12 ? "pm" : "am"),
};

function padded(value: number, width: number, sign: string): string {
  return String(value).padStart(width, sign);
}

function hourOfHalfDay(time: CivilTime): number {
  return time.hour % 12 === 0 ? 12 : time.hour % 12;
}

/** `.000` shows as many digits, `.999` leaves trailing zeros out. */
function formatFraction(nanosecond: number, field: string): string {
  const shown = padded(nanosecond, 9, "0").slice(0, field.length - 1);
  if (field[1] === "0") return field[0] + shown;
  const digits = shown.replace(/0+$/, "");
  return digits === "" ? "" : field[0] + digits;
}

function formatOffset(offset: number, field: string): string {
  if (offset === 0 && field.startsWith("Z")) return "Z";
  const minutes = Math.abs(Math.trunc(offset / 60));
  const sign = Math.trunc(offset / 60) < 0 ? "-" : "+";
  const colon = field.includes(":") ? ":" : "";
  const digits = field.replace(/[^0-9]/g, "").length;
  const parts = [Math.floor(minutes / 60), minutes % 60, Math.abs(offset) % 60]
    .slice(0, digits / 2)
    .map((part) => padded(part, 2, "0"));
  return sign + parts.join(colon);
}

/** The zone database of the runtime has no abbreviations, and any other text would be wrong. */
function abbreviationOf(zone: TimeZone): string {
  if (zone === utc) return "UTC";
  throw new BuiltinUnsupported(`the abbreviation (MST) of the zone ${zone.name} is not known here`);
}
