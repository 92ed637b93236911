/**
 * The built-ins that OPA's wasm leaves to the host, by name. A policy that needs one that is not
 * here is refused when it is activated.
 */
import type { BuiltinFamily, HostBuiltin } from "./builtin.ts";

export { type BuiltinContext, BuiltinError, BuiltinLimit, type HostBuiltin } from "./builtin.ts";

const families: readonly BuiltinFamily[] = [];

/** Every host built-in by its name in Rego. */
export const hostBuiltins: ReadonlyMap<string, HostBuiltin> = new Map(
  families.flatMap((family) => Object.entries(family)),
);
