import { describe, expect, it } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import type { Evaluation, EvaluationResult } from "../engine/policy.ts";
import { runSelfTest } from "./self-test.ts";
import type { SelfTestCase } from "./self-test-cases.ts";

interface Trial {
  readonly cases?: readonly SelfTestCase[];
  readonly wantsArrays?: boolean;
  /** Milliseconds that an evaluation takes. */
  readonly takesMs?: number;
}

/** Runs the test on a policy that answers as told; gives what it was asked. */
async function run(answer: EvaluationResult, trial: Trial = {}) {
  const clock = manualClock();
  const asked: Evaluation[] = [];
  let yields = 0;
  await runSelfTest({
    policy: {
      entrypoints: new Map([["authz/decision", 3]]),
      evaluate(evaluation) {
        asked.push(evaluation);
        clock.advance(trial.takesMs ?? 0);
        return answer;
      },
      memoryBytes: () => 0,
    },
    entrypoints: { kind: "document", document: 3 },
    cases: trial.cases ?? [],
    wantsArrays: trial.wantsArrays ?? false,
    clock,
    options: { selfTestTimeoutMs: 1_000, warmUpEvaluations: 10 },
    yieldToLoop: async () => {
      yields += 1;
    },
  });
  return { asked, yields };
}

const user = { id: "u", roles: ["b", "a"], permissions: [], groups: ["g"], tags: ["t"] };
const expecting = (allow: boolean): SelfTestCase[] => [
  { name: "case", input: { user, resource: "model" }, allow },
];
const value = (result: unknown) => ({ kind: "value", value: result }) as EvaluationResult;
const failed = (why: string) => ({ kind: "failed", why, message: "boom" }) as EvaluationResult;

const refusal = (message: string) =>
  expect.objectContaining({ stage: "self-test", message: expect.stringContaining(message) });

describe("runSelfTest()", () => {
  it.each([
    [value(true), false],
    [value({ allow: true }), false],
    [value({ allowed: true }), false],
    [value(false), true],
    [value({ allow: "true" }), true],
    [value(["allow"]), true],
    [value(null), true],
    [{ kind: "undefined" } as EvaluationResult, true],
  ])("refuses a case that gets %j and expects %s", async (result, expected) => {
    await expect(run(result, { cases: expecting(expected) })).rejects.toEqual(
      refusal(`"case" expects allow = ${expected} and gets ${!expected}`),
    );
    await expect(run(result, { cases: expecting(!expected) })).resolves.toBeDefined();
  });

  it("refuses a case that fails", async () => {
    await expect(run(failed("conflict"), { cases: expecting(false) })).rejects.toEqual(
      refusal("fails: conflict: boom"),
    );
  });

  it("refuses a policy that can't be evaluated at all", async () => {
    await expect(run(failed("trap"))).rejects.toEqual(refusal("can't be evaluated: trap"));
    await expect(run(failed("budget"))).rejects.toEqual(refusal("budget"));
    await expect(run(failed("conflict"))).resolves.toBeDefined();
  });

  it("refuses what takes too long", async () => {
    await expect(run(value(true), { takesMs: 101 })).rejects.toEqual(
      refusal("self_test_timeout_ms"),
    );
  });

  it("yields when it has run for a while", async () => {
    expect((await run(value(true), { takesMs: 0 })).yields).toBe(0);
    expect((await run(value(true), { takesMs: 3 })).yields).toBe(5);
  });

  it("gives the user's sets as sets, or as arrays where the policy wants them", async () => {
    const { asked } = await run(value(true), { cases: expecting(true) });
    expect(asked[0]).toMatchObject({ entrypoint: 3, input: '{"resource":"model"}' });
    expect(asked[0]?.kept?.text()).toBe(
      '{"id":"u","roles":{"b","a"},"permissions":set(),"groups":{"g"},"tags":["t"]}',
    );
    const arrays = await run(value(true), { cases: expecting(true), wantsArrays: true });
    expect(arrays.asked[0]?.kept?.text()).toBe(JSON.stringify(user));
    expect(asked.length).toBe(11);
  });
});
