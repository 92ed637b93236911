import type { Meter } from "./meter.ts";

/** Why a request can't be answered in time. */
export type EarlyRefusal =
  /** The deadline had passed when the call was to be served. */
  | "arrived-late"
  /** Less time is left than a read of the directory takes at least. */
  | "directory-read"
  /** Less time is left than the reads before its own will take at least. */
  | "directory-queue";

/** Makes the counter of requests that could not have been answered in time. */
export function createRefusalCounter(meter: Meter): (why: EarlyRefusal) => void {
  const counter = meter.counter({
    name: "postern_requests_refused_early_total",
    help: "Requests refused at once, since there was no time left to answer them, by reason.",
    labels: ["reason"],
  });
  return (reason) => counter.add(1, { reason });
}
