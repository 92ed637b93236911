import { KiB, MiB } from "../base/sizes.ts";
import {
  type BuiltinContext,
  BuiltinError,
  BuiltinLimit,
  type HostBuiltin,
} from "./builtins/registry.ts";
import type { Guest } from "./guest.ts";
import { PolicyAborted } from "./guest-failure.ts";
import { formatTerm, parseTerm, visitLengths } from "./term.ts";

/** What a policy may call of its host. Belongs to one instance. */
export interface HostCalls {
  /** The functions of the import module `env`. */
  readonly imports: Readonly<Record<string, WebAssembly.ImportValue>>;
  /** Names the instance that calls; before it runs anything. */
  serve(guest: Guest): void;
  /** Tells the time of the next evaluation, and forgets what the last one remembered. */
  beginEvaluation(nowNs: bigint): void;
}

const ABORT_TEXT_BYTES_MAX = 4 * KiB;
/** Longest argument of a built-in, as text: several times what an input may be. */
const ARGUMENT_BYTES_MAX = 4 * MiB;
/** Longest UTF-8 of one UTF-16 unit. */
const UTF8_BYTES_PER_UNIT = 3;
/** Steps for a call, whatever it does: it takes some microseconds. */
const CALL_STEPS = 1000;
/** Steps for each character of arguments and result: they are parsed and written. */
const CHARACTER_STEPS = 4;
/** OPA's ABI has imports for up to this many arguments. */
const ARGUMENTS_MAX = 4;

/** The imports of one instance, with the built-ins it names, by its own numbers. */
export function createHostCalls(builtins: ReadonlyMap<number, HostBuiltin>): HostCalls {
  let guest: Guest | undefined;
  let nowNs = 0n;
  let context: BuiltinContext | undefined;
  /** Of the guest's, while it waits for a built-in. */
  let stepsLeft = 0;
  const takeSteps = (count: number): void => {
    stepsLeft -= count;
    if (stepsLeft < 0) throw new BuiltinLimit("a built-in needs more than evaluation_steps_max");
  };

  const callBuiltin = (id: number, _context: number, ...args: number[]): number => {
    const builtin = builtins.get(id);
    if (guest === undefined || builtin === undefined) {
      throw new PolicyAborted(`the policy calls built-in ${id}, which it has not declared`);
    }
    // Few evaluations call the host, so that what such a call needs is made when first needed.
    context ??= { nowNs, memo: new Map(), takeSteps };
    const texts = args.map((value) => dump(guest!, value));
    stepsLeft = Number(guest.stepsLeft());
    let answer: string;
    try {
      takeSteps(CALL_STEPS + CHARACTER_STEPS * lengthOf(texts));
      const term = builtin(texts.map(parseTerm), context);
      // Before it is written: a built-in may put one long text into its answer a thousand times.
      visitLengths(term, (length) => takeSteps(CHARACTER_STEPS * length));
      answer = formatTerm(term);
    } catch (error) {
      if (error instanceof BuiltinError) return UNDEFINED;
      throw error;
    } finally {
      guest.allowSteps(BigInt(stepsLeft));
    }
    return load(guest, answer);
  };
  const imports: Record<string, WebAssembly.ImportValue> = {
    opa_abort: (address) => {
      throw new PolicyAborted(guest?.memory.terminatedTextAt(address!, ABORT_TEXT_BYTES_MAX) ?? "");
    },
    // Only in debug builds, and addressed to nobody.
    opa_println: () => 0,
  };
  for (let count = 0; count <= ARGUMENTS_MAX; count += 1) {
    // The engine hands over exactly the declared arguments: id, context, then `count` values.
    imports[`opa_builtin${count}`] = callBuiltin as (...args: number[]) => number;
  }
  return {
    imports,
    serve: (instance) => {
      guest = instance;
    },
    beginEvaluation: (time) => {
      nowNs = time;
      context = undefined;
    },
  };
}

/** How a built-in says that it has no value. */
const UNDEFINED = 0;

/** Terms go both ways as Rego text, in which sets and large integers survive. */
function dump({ functions, memory }: Guest, value: number): string {
  return memory.terminatedTextAt(functions.opa_value_dump(value), ARGUMENT_BYTES_MAX);
}

function load({ functions, memory }: Guest, text: string): number {
  const bytes = text.length * UTF8_BYTES_PER_UNIT;
  const address = functions.opa_malloc(bytes);
  return functions.opa_value_parse(address, memory.writeText(text, address, bytes));
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}
