/** Label values by label name. Values come from closed sets or configuration, never from requests. */
export type Labels = Readonly<Record<string, string>>;

/** What an instrument is: `postern_<noun>_<unit>[_total]`, a sentence, its label names. */
export interface InstrumentSpec {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface Counter {
  add(value: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Makes instruments. Asking twice for a name gives the same instrument. */
export interface Meter {
  counter(spec: InstrumentSpec): Counter;
  gauge(spec: InstrumentSpec): Gauge;
  /** `buckets` are upper bounds in the unit of the name, ascending. */
  histogram(spec: InstrumentSpec & { readonly buckets: readonly number[] }): Histogram;
}

const ignore = { add: () => {}, set: () => {}, observe: () => {} };

/** Measures nothing; for tests and commands. */
export const silentMeter: Meter = {
  counter: () => ignore,
  gauge: () => ignore,
  histogram: () => ignore,
};
