import type { JsonValue } from "../decision/json.ts";
import type { Guest } from "./guest.ts";
import { failedEvaluation, isOutOfMemory, OutOfSteps, PolicyAborted } from "./guest-failure.ts";
import type { GuestVariables } from "./guest-variables.ts";
import type { HostCalls } from "./host-calls.ts";
import { parseInputText } from "./input-text.ts";
import { INPUT_ROOM_MAX, InputWriter } from "./input-writer.ts";
import type { KeptDocuments } from "./kept-documents.ts";
import type { Evaluation, EvaluationResult, InputValue, Policy } from "./policy.ts";
import type { PolicyLayout } from "./prepared-policy.ts";
import { NoRoom } from "./struct-writer.ts";
import { ValueReader } from "./value-reader.ts";

/** An instance with its data in place, and what works on it. */
export interface WasmPolicyParts {
  readonly guest: Guest;
  readonly hostCalls: HostCalls;
  readonly keptDocuments: KeptDocuments;
  readonly layout: PolicyLayout;
  readonly variables: GuestVariables;
  /** Most steps of an evaluation. */
  readonly stepsMax: bigint;
}

/**
 * The policy of an instance. Each evaluation starts with the heap cut back to the kept documents,
 * so that nothing of the one before remains.
 */
export function createWasmPolicy(parts: WasmPolicyParts): Policy {
  const { guest, hostCalls, keptDocuments, layout, stepsMax } = parts;
  const { functions, memory } = guest;
  const { contextAddress, scratch } = layout;
  const writer = new InputWriter(memory, layout.constants);
  // The first thing above the policy's own constants is the context.
  const reader = new ValueReader(memory, contextAddress);

  const writeInput = (input: InputValue, user: number): number => {
    try {
      return writer.write(input, user, scratch);
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      const address = functions.opa_malloc(INPUT_ROOM_MAX);
      return writer.write(input, user, { address, bytes: INPUT_ROOM_MAX });
    }
  };

  const run = ({ entrypoint, input, kept, nowNs }: Evaluation): JsonValue | undefined => {
    guest.allowSteps(stepsMax);
    functions.opa_heap_ptr_set(keptDocuments.top);
    const user = kept === undefined ? 0 : keptDocuments.addressOf(kept);
    const document = typeof input === "string" ? parseInputText(input) : input;
    functions.opa_eval_ctx_set_input(contextAddress, writeInput(document, user));
    functions.opa_eval_ctx_set_entrypoint(contextAddress, entrypoint);
    hostCalls.beginEvaluation(nowNs);
    if (functions.eval(contextAddress) !== 0) throw new PolicyAborted("the evaluation failed");
    return reader.readResult(functions.opa_eval_ctx_get_result(contextAddress));
  };

  return {
    entrypoints: layout.entrypoints,
    evaluate: (evaluation): EvaluationResult => {
      try {
        const value = run(evaluation);
        return value === undefined ? { kind: "undefined" } : { kind: "value", value };
      } catch (error) {
        const failure = guest.stepsLeft() < 0n ? new OutOfSteps() : error;
        repair(parts, failure);
        return failedEvaluation(failure);
      }
    },
    memoryBytes: () => memory.memory.buffer.byteLength,
  };
}

/**
 * Makes an instance whole again after anything was thrown, at a cost that doesn't depend on its
 * data. What may be damaged is in linear memory or is the stack pointer, which are all the state
 * there is:
 *
 * - the stack: frames of the interrupted calls are given back; it lies below all else, so that an
 *   overflow traps instead of writing into data;
 * - the heap above the kept documents, half-made values in it, the free lists, the cache of
 *   patterns and the bulk list: `opa_heap_ptr_set` resets all of them, here and before each
 *   evaluation; memoized rules are dropped by the guest when `eval` starts;
 * - the heap's top: the allocator writes it right after growing, and gives up before that;
 * - other variables, such as those that say whether a library has been set up: where the guest was
 *   stopped anywhere, by a trap, for want of steps or memory, they are put back;
 * - constants, data and kept documents: shared by evaluations, so that the guest writes to none.
 *   To be stopped leaves that as true as a return does. Any other trap means that the guest did
 *   something it did not mean to: then the kept documents are made anew.
 */
function repair(
  { guest, keptDocuments, variables, stepsMax }: WasmPolicyParts,
  error: unknown,
): void {
  guest.resetStack();
  guest.allowSteps(stepsMax);
  const isTrap = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
  if (isTrap || error instanceof OutOfSteps || isOutOfMemory(error)) variables.restore();
  if (isTrap) keptDocuments.forget();
}
