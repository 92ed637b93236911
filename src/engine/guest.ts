import { failureText } from "./guest-failure.ts";
import { GuestMemory } from "./guest-memory.ts";
import type { HostCalls } from "./host-calls.ts";
import { PolicyRefused } from "./prepared-policy.ts";
import { PAGE_BYTES, STACK_POINTER_EXPORT, STEPS_LEFT_EXPORT } from "./wasm-module.ts";

/** The functions of OPA's ABI that the host calls. Addresses stay below 2 GiB (`MEMORY_BYTES_MAX`). */
export interface GuestFunctions {
  opa_malloc(bytes: number): number;
  opa_heap_ptr_get(): number;
  /** Also empties the free lists and the guest's cache of compiled patterns. */
  opa_heap_ptr_set(address: number): void;
  /** JSON to value; 0 if it is malformed. */
  opa_json_parse(address: number, length: number): number;
  /** Rego text to value; 0 if it is malformed. */
  opa_value_parse(address: number, length: number): number;
  /** Value to NUL-terminated Rego text. */
  opa_value_dump(value: number): number;
  opa_eval_ctx_new(): number;
  opa_eval_ctx_set_input(context: number, value: number): void;
  opa_eval_ctx_set_data(context: number, value: number): void;
  opa_eval_ctx_set_entrypoint(context: number, entrypoint: number): void;
  opa_eval_ctx_get_result(context: number): number;
  /** Adds or replaces a member; `path` is an array of names. 0 if it worked. */
  opa_value_add_path(value: number, path: number, member: number): number;
  eval(context: number): number;
  entrypoints(): number;
  builtins(): number;
}

/** An instance of a policy's module. */
export interface Guest {
  readonly memory: GuestMemory;
  readonly functions: GuestFunctions;
  /** Takes back what an interrupted call left on the stack. */
  resetStack(): void;
  /** Lets the guest take so many steps from now on (`wasm-steps.ts`); past them it traps. */
  allowSteps(count: bigint): void;
  /** How many are left; negative past the last. */
  stepsLeft(): bigint;
}

const FUNCTION_NAMES = [
  "opa_malloc",
  "opa_heap_ptr_get",
  "opa_heap_ptr_set",
  "opa_json_parse",
  "opa_value_parse",
  "opa_value_dump",
  "opa_eval_ctx_new",
  "opa_eval_ctx_set_input",
  "opa_eval_ctx_set_data",
  "opa_eval_ctx_set_entrypoint",
  "opa_eval_ctx_get_result",
  "opa_value_add_path",
  "eval",
  "entrypoints",
  "builtins",
] as const satisfies readonly (keyof GuestFunctions)[];

const ABI_MAJOR = 1;
const ABI_MINOR_MAX = 3;

/** How much memory an instance starts with, and may ever have. */
export interface MemoryLimits {
  readonly initialBytes: number;
  readonly maximumBytes: number;
}

/** A module, and what its instance gets. */
export interface GuestSource {
  readonly module: WebAssembly.Module;
  readonly limits: MemoryLimits;
  /** What the policy may call; told the instance it belongs to. */
  readonly hostCalls: HostCalls;
}

/**
 * Instantiates a module that `adaptModule` has made. Throws
 * `PolicyRefused` for a module that doesn't speak ABI 1.0 to 1.3 or imports anything else.
 */
export function instantiateGuest({ module, limits, hostCalls }: GuestSource): Guest {
  const memory = new WebAssembly.Memory({
    initial: Math.ceil(limits.initialBytes / PAGE_BYTES),
    maximum: Math.floor(limits.maximumBytes / PAGE_BYTES),
  });
  const imports = { ...hostCalls.imports, memory };
  checkImports(module, new Set(Object.keys(imports)));
  const instance = instantiate(module, imports);
  checkAbi(instance.exports);
  const stackPointer = globalExport<number>(instance.exports, STACK_POINTER_EXPORT);
  const stackTop = stackPointer.value;
  const stepsLeft = globalExport<bigint>(instance.exports, STEPS_LEFT_EXPORT);
  const guest: Guest = {
    memory: new GuestMemory(memory),
    functions: functionExports(instance.exports),
    resetStack: () => {
      stackPointer.value = stackTop;
    },
    allowSteps: (count) => {
      stepsLeft.value = count;
    },
    stepsLeft: () => stepsLeft.value,
  };
  hostCalls.serve(guest);
  return guest;
}

function checkImports(module: WebAssembly.Module, known: ReadonlySet<string>): void {
  const foreign = WebAssembly.Module.imports(module)
    .filter((item) => item.module !== "env" || !known.has(item.name))
    .map((item) => `${item.module}.${item.name}`);
  if (foreign.length === 0) return;
  throw new PolicyRefused(
    "abi",
    `the module imports what OPA's ABI has not: ${foreign.join(", ")}`,
  );
}

function instantiate(
  module: WebAssembly.Module,
  env: Record<string, WebAssembly.ImportValue>,
): WebAssembly.Instance {
  try {
    return new WebAssembly.Instance(module, { env });
  } catch (error) {
    const reason = failureText(error);
    throw new PolicyRefused("compile", `the module can't be instantiated: ${reason}`);
  }
}

type Exports = WebAssembly.Instance["exports"];

function checkAbi(exports: Exports): void {
  const major = globalExport<number>(exports, "opa_wasm_abi_version").value;
  const minor = globalExport<number>(exports, "opa_wasm_abi_minor_version").value;
  if (major === ABI_MAJOR && minor >= 0 && minor <= ABI_MINOR_MAX) return;
  throw new PolicyRefused(
    "abi",
    `the policy speaks OPA's wasm ABI ${major}.${minor}; expected 1.0 to 1.${ABI_MINOR_MAX}`,
  );
}

/** Of the type that the ABI, or `adaptModule`, gives it. */
function globalExport<Value extends number | bigint>(
  exports: Exports,
  name: string,
): WebAssembly.Global<Value> {
  const value = exports[name];
  if (value instanceof WebAssembly.Global) return value as WebAssembly.Global<Value>;
  throw new PolicyRefused(
    "abi",
    `the module lacks the global ${name}; was it built by OPA ≥ 0.27?`,
  );
}

function functionExports(exports: Exports): GuestFunctions {
  const functions: Record<string, WebAssembly.ExportValue> = {};
  for (const name of FUNCTION_NAMES) {
    const value = exports[name];
    if (typeof value !== "function") {
      throw new PolicyRefused("abi", `the module lacks the function ${name} of OPA's ABI`);
    }
    functions[name] = value;
  }
  // The names are checked above; their signatures are what the ABI version stands for.
  return functions as unknown as GuestFunctions;
}
