/** What a benchmark has started, to be stopped in the end. */
export interface Stops {
  push(stop: () => unknown): void;
  /** Stops everything, the last first. */
  all(): Promise<void>;
}

/** Makes an empty list, which is worked off as well when this process is told to end. */
export function createStops(): Stops {
  const stops: (() => unknown)[] = [];
  let ending: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    for (const stop of stops.reverse()) await stop();
  };
  const all = (): Promise<void> => (ending ??= end());
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      // What is still measured fails while its servers go, and must not cut this short.
      process.on("uncaughtException", () => {});
      void all().finally(() => process.exit(1));
    });
  }
  return { push: (stop) => stops.push(stop), all };
}
