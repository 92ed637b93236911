import type { Term } from "../term.ts";

/** What a built-in may know besides its arguments. Fresh for each evaluation. */
export interface BuiltinContext {
  /** The one answer to `time.now_ns` of this evaluation. */
  readonly nowNs: bigint;
  /** Results that must not change within the evaluation, by name and arguments. */
  readonly memo: Map<string, Term>;
  readonly takeSteps: TakeSteps;
}

/**
 * Takes so many of the steps that the evaluation has left, a whole number, each worth some ten nanoseconds;
 * called before the work. Throws `BuiltinLimit` where there are not as many.
 */
export type TakeSteps = (count: number) => void;

/** A built-in function. Throws `BuiltinError` where Rego's answer is undefined. */
export type HostBuiltin = (args: readonly Term[], context: BuiltinContext) => Term;

/** One family's functions by their names in Rego. */
export type BuiltinFamily = Readonly<Record<string, HostBuiltin>>;

/**
 * The call has no value: for the policy it is undefined, as in OPA without strict errors. Not an
 * `Error`, whose stack takes longer to capture than most calls take.
 */
export class BuiltinError {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/**
 * The call would cost more than a built-in may. It ends the evaluation (`indeterminate:budget`)
 * instead of being undefined, which `not` would turn into true.
 */
export class BuiltinLimit extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BuiltinLimit";
  }
}

/**
 * OPA has an answer that can't be given here, such as text that is not UTF-8. It ends the
 * evaluation, for the same reason as `BuiltinLimit`.
 */
export class BuiltinUnsupported extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BuiltinUnsupported";
  }
}
