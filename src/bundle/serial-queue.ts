/** Runs a step after all that were given before it have ended. */
export type SerialQueue = <Result>(step: () => Promise<Result>) => Promise<Result>;

/** One step at a time, in order; a step that fails doesn't stop those after it. */
export function createSerialQueue(): SerialQueue {
  let tail: Promise<unknown> = Promise.resolve();
  return (step) => {
    const result = tail.then(step);
    tail = result.catch(() => {});
    return result;
  };
}
