import { type BuiltinContext, BuiltinLimit } from "../../src/engine/builtins/builtin.ts";

/**
 * A context of an evaluation that has ten million steps left, as many as it has by default. Throws a
 * `TypeError` where parts of a step are taken: the guest counts whole ones.
 */
export function builtinContext(nowNs = 0n): BuiltinContext {
  let left = 10_000_000;
  return {
    nowNs,
    memo: new Map(),
    takeSteps: (count) => {
      if (!Number.isInteger(count)) throw new TypeError(`${count} steps; expected a whole number`);
      left -= count;
      if (left < 0) throw new BuiltinLimit("no steps are left");
    },
  };
}
