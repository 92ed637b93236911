import { KiB, MiB } from "../base/sizes.ts";
import { type BuiltinContext, BuiltinError, type HostBuiltin } from "./builtins/registry.ts";
import type { Guest } from "./guest.ts";
import { PolicyAborted } from "./guest-failure.ts";
import { formatTerm, parseTerm } from "./term.ts";

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
/** OPA's ABI has imports for up to this many arguments. */
const ARGUMENTS_MAX = 4;

/** The imports of one instance, with the built-ins it names, by its own numbers. */
export function createHostCalls(builtins: ReadonlyMap<number, HostBuiltin>): HostCalls {
  let guest: Guest | undefined;
  let nowNs = 0n;
  let context: BuiltinContext | undefined;

  const callBuiltin = (id: number, _context: number, ...args: number[]): number => {
    const builtin = builtins.get(id);
    if (guest === undefined || builtin === undefined) {
      throw new PolicyAborted(`the policy calls built-in ${id}, which it has not declared`);
    }
    // Few evaluations call the host, so that what such a call needs is made when first needed.
    context ??= { nowNs, memo: new Map() };
    return callWithTerms(guest, args, (terms) => builtin(terms, context!));
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

type TermFunction = (args: readonly ReturnType<typeof parseTerm>[]) => ReturnType<typeof parseTerm>;

/** Terms go both ways as Rego text, in which sets and large integers survive. 0 is undefined. */
function callWithTerms(guest: Guest, args: readonly number[], builtin: TermFunction): number {
  const { functions, memory } = guest;
  const terms = args.map((value) => {
    const text = functions.opa_value_dump(value);
    return parseTerm(memory.terminatedTextAt(text, ARGUMENT_BYTES_MAX));
  });
  let text: string;
  try {
    text = formatTerm(builtin(terms));
  } catch (error) {
    if (error instanceof BuiltinError) return 0;
    throw error;
  }
  const bytes = text.length * UTF8_BYTES_PER_UNIT;
  const address = functions.opa_malloc(bytes);
  return functions.opa_value_parse(address, memory.writeText(text, address, bytes));
}
