import type { CallNotes } from "../../src/base/call-notes.ts";

/** Notes that nobody reads. */
export const silentNotes: CallNotes = {
  traceId: undefined,
  carries: () => {},
  decided: () => {},
  decidedBatch: () => {},
  failed: () => {},
  onceSent: (effect) => effect(),
};

/** Notes, and what was noted: in order, by name. */
export function keptNotes(): CallNotes & { readonly noted: readonly [string, unknown][] } {
  const noted: [string, unknown][] = [];
  const note = (name: string) => (value: unknown) => void noted.push([name, value]);
  return {
    ...{ noted, traceId: undefined, decided: note("decided") },
    carries: (headers) => note("carries")(headers()),
    ...{ decidedBatch: note("decidedBatch"), failed: note("failed") },
    onceSent: (effect) => effect(),
  };
}
