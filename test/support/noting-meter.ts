import type { Labels, Meter } from "../../src/base/meter.ts";

/** A meter, and what was measured with it. */
export interface NotingMeter {
  readonly meter: Meter;
  /** In order: `name label-values value`. */
  readonly notes: string[];
}

/** Makes a meter that notes every value. */
export function notingMeter(): NotingMeter {
  const notes: string[] = [];
  const note =
    (name: string) =>
    (value: number, labels: Labels = {}) => {
      notes.push([name, ...Object.values(labels), value].join(" "));
    };
  const meter: Meter = {
    counter: ({ name }) => ({ add: note(name) }),
    gauge: ({ name }) => ({ set: note(name) }),
    histogram: ({ name }) => ({ observe: note(name) }),
  };
  return { meter, notes };
}
