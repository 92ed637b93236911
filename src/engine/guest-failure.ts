import type { IndeterminateReason } from "../decision/decision.ts";
import { BuiltinLimit } from "./builtins/registry.ts";
import type { EvaluationResult } from "./policy.ts";

/** The guest gave up by `opa_abort`; the message is its own. */
export class PolicyAborted extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PolicyAborted";
  }
}

/** The input is nothing a policy may be asked about. */
export class InputRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InputRefused";
  }
}

/** The result is larger or deeper than allowed, or no Rego value. */
export class ResultRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ResultRefused";
  }
}

/** Ends of OPA's abort texts (`internal/compiler/wasm/wasm.go`), after file, row and column. */
const CONFLICTS = ["var assignment conflict", "object insert conflict"];
/** The allocator's only abort: memory is at its maximum. */
const OUT_OF_MEMORY = "opa_malloc: failed";

/** Whether the guest gave up because its memory is at the maximum. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof PolicyAborted && error.message === OUT_OF_MEMORY;
}

/** What anything thrown during an evaluation comes to. */
export function failedEvaluation(error: unknown): EvaluationResult {
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "failed", why: reasonOf(error, message), message };
}

function reasonOf(error: unknown, message: string): IndeterminateReason {
  if (error instanceof InputRefused) return "input";
  if (error instanceof ResultRefused) return "result";
  if (error instanceof BuiltinLimit || isOutOfMemory(error)) return "budget";
  if (CONFLICTS.some((text) => message.endsWith(text))) return "conflict";
  return "trap";
}
