import { describe, expect, it } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

describe("ByteBudget", () => {
  it("takes nothing that is not there, of its own or of the whole", () => {
    const whole = new ByteBudget(10);
    const [one, other] = [new ByteBudget(8, whole), new ByteBudget(8, whole)];
    expect([one.take(9), one.take(8), one.take(1)]).toEqual([false, true, false]);
    expect([other.take(3), other.take(2)]).toEqual([false, true]);
    one.give(8);
    expect([other.take(6), one.take(3), one.take(2)]).toEqual([true, false, true]);
  });
});
