/** Layouts of Go's time package: text in which the parts of a reference time stand for fields. */

/** Text that stands for itself, then a field. */
export interface LayoutPart {
  readonly literal: string;
  /** The field as the layout writes it, for example `2006` or `.000`. */
  readonly field: string;
}

/** A layout taken apart. */
export interface Layout {
  readonly parts: readonly LayoutPart[];
  /** Text after the last field. */
  readonly rest: string;
}

// The alternatives of nextStdChunk, in its order. `_2006` is an underscore and a year.
const FIELD = new RegExp(
  [
    ...["January", "Jan(?![a-z])", "Monday", "Mon(?![a-z])", "MST", "0[1-6]", "002"],
    ...["15", "1", "2006", "2", "_2(?!006)", "__2", "3", "4", "5", "PM", "pm"],
    ...["-070000", "-07:00:00", "-0700", "-07:00", "-07"],
    ...["Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07"],
    "[.,](?:0+|9+)(?![0-9])",
  ].join("|"),
  "g",
);

/** Layouts that OPA knows by name. */
const NAMED_LAYOUTS: ReadonlyMap<string, string> = new Map([
  ["ANSIC", "Mon Jan _2 15:04:05 2006"],
  ["UnixDate", "Mon Jan _2 15:04:05 MST 2006"],
  ["RubyDate", "Mon Jan 02 15:04:05 -0700 2006"],
  ["RFC822", "02 Jan 06 15:04 MST"],
  ["RFC822Z", "02 Jan 06 15:04 -0700"],
  ["RFC850", "Monday, 02-Jan-06 15:04:05 MST"],
  ["RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"],
  ["RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"],
  ["RFC3339", "2006-01-02T15:04:05Z07:00"],
  ["RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"],
]);

/** Takes a layout apart; `text` may be a name that OPA knows. */
export function parseLayout(text: string): Layout {
  const layout = NAMED_LAYOUTS.get(text) ?? text;
  const parts: LayoutPart[] = [];
  let at = 0;
  for (const match of layout.matchAll(FIELD)) {
    parts.push({ literal: layout.slice(at, match.index), field: match[0] });
    at = match.index + match[0].length;
  }
  return { parts, rest: layout.slice(at) };
}

export const MONTHS: readonly string[] = [
  ...["January", "February", "March", "April", "May", "June", "July"],
  ...["August", "September", "October", "November", "December"],
];

export const WEEKDAYS: readonly string[] = [
  ...["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
];
