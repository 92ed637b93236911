import { describe, expect, it } from "vitest";
import { createTurns } from "./turns.ts";

describe("createTurns()", () => {
  it("gives one turn per turn of the event loop, in the order of asking", async () => {
    const turns = createTurns();
    const seen: string[] = [];
    let loop = 0;
    let isDone = false;
    const count = (): void => {
      loop++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(
      ["a", "b", "c"].map(async (name) => {
        for (let slice = 1; slice <= 2; slice++) {
          await turns.next();
          seen.push(`${name}${slice} in ${loop}`);
        }
      }),
    );
    isDone = true;
    expect(seen).toEqual(["a1 in 1", "b1 in 2", "c1 in 3", "a2 in 4", "b2 in 5", "c2 in 6"]);
    expect(turns.areTaken()).toBe(false);
  });
});
