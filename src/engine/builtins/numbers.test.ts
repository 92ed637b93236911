import { describe, expect, it } from "vitest";
import { builtinContext } from "../../../test/support/builtin-context.ts";
import { callsOf, disagreements } from "../../../test/support/builtin-oracle.ts";
import { formatTerm } from "../term.ts";
import { termInteger } from "../term-value.ts";
import { BuiltinLimit } from "./builtin.ts";
import { numberBuiltins } from "./numbers.ts";

const context = builtinContext();

describe("numberBuiltins", () => {
  it("agrees with OPA on ranges", () => {
    const calls = [
      ...callsOf(
        "numbers.range_step",
        "1,10,3",
        "10,1,3",
        "1,1,1",
        "1,5,0",
        "1,5,-1",
        "1.0,5e0,2",
        "1.5,5,1",
        "9007199254740993,9007199254740995,1",
        "1,2,1000000000000000000000",
      ),
      ...callsOf("rand.intn", '"a",0', '"a",1', '"a",-1', '"a",1.5', "1,1"),
    ];
    expect(disagreements(numberBuiltins, calls)).toEqual([]);
  });

  it("refuses a range of more elements than a result may have", () => {
    const range = [termInteger(1), termInteger(10n ** 30n), termInteger(1)];
    expect(() => numberBuiltins["numbers.range_step"]!(range, context)).toThrow(BuiltinLimit);
  });

  it("draws below the limit", () => {
    for (let draw = 0; draw < 100; draw += 1) {
      const fresh = builtinContext();
      const drawn = numberBuiltins["rand.intn"]!(["a", termInteger(-3)], fresh);
      expect(["0", "1", "2"]).toContain(formatTerm(drawn));
    }
  });

  it("repeats what is random within an evaluation, and only there", () => {
    const uuid = numberBuiltins["uuid.rfc4122"]!;
    const first = uuid(["a"], context);
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
    expect(uuid(["a"], context)).toBe(first);
    expect(uuid(["b"], context)).not.toBe(first);
    expect(uuid(["a"], builtinContext())).not.toBe(first);
  });
});
