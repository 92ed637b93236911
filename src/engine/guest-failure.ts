import type { IndeterminateReason } from "../decision/decision.ts";
import { BuiltinLimit } from "./builtins/registry.ts";
import type { EvaluationResult } from "./policy.ts";

/**
 * Why an evaluation came to nothing, thrown by what takes part in it. Not an `Error`: capturing a
 * stack takes 5 µs, and inputs that make policies abort come from callers, by the thousand.
 */
class EvaluationFailure {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** The guest gave up by `opa_abort`; the message is its own. */
export class PolicyAborted extends EvaluationFailure {}

/** The evaluation has taken all the steps that it may. */
export class OutOfSteps extends EvaluationFailure {
  constructor() {
    super("more steps than evaluation_steps_max");
  }
}

/** The input is nothing a policy may be asked about. */
export class InputRefused extends EvaluationFailure {}

/** The result is larger or deeper than allowed, or no Rego value. */
export class ResultRefused extends EvaluationFailure {}

/** Ends of OPA's abort texts (`internal/compiler/wasm/wasm.go`), after file, row and column. */
const CONFLICTS = ["var assignment conflict", "object insert conflict"];
/** The allocator's only abort: memory is at its maximum. */
const OUT_OF_MEMORY = "opa_malloc: failed";

/** Whether the guest gave up because its memory is at the maximum. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof PolicyAborted && error.message === OUT_OF_MEMORY;
}

/** The message of anything thrown. */
export function failureText(error: unknown): string {
  return error instanceof EvaluationFailure || error instanceof Error
    ? error.message
    : String(error);
}

/** What anything thrown during an evaluation comes to. */
export function failedEvaluation(error: unknown): EvaluationResult {
  const message = failureText(error);
  return { kind: "failed", why: reasonOf(error, message), message };
}

function reasonOf(error: unknown, message: string): IndeterminateReason {
  if (error instanceof InputRefused) return "input";
  if (error instanceof ResultRefused) return "result";
  if (error instanceof OutOfSteps || error instanceof BuiltinLimit || isOutOfMemory(error)) {
    return "budget";
  }
  if (CONFLICTS.some((text) => message.endsWith(text))) return "conflict";
  return "trap";
}
