/**
 * The built-ins that OPA's wasm leaves to the host, by name. A policy that needs one that is not
 * here is refused when it is activated.
 */
import type { BuiltinFamily, HostBuiltin } from "./builtin.ts";
import { cidrBuiltins } from "./cidr.ts";
import { cryptoBuiltins } from "./crypto.ts";
import { encodingBuiltins } from "./encodings.ts";
import { globBuiltins } from "./glob.ts";
import { globsMatchBuiltins } from "./globs-match.ts";
import { graphBuiltins } from "./graph.ts";
import { jsonMarshalBuiltins } from "./json-marshal.ts";
import { jsonPatchBuiltins } from "./json-patch.ts";
import { jwtBuiltins } from "./jwt.ts";
import { numberBuiltins } from "./numbers.ts";
import { objectSubsetBuiltins } from "./object-subset.ts";
import { regexBuiltins } from "./regex.ts";
import { semverBuiltins } from "./semver.ts";
import { sprintfBuiltins } from "./sprintf.ts";
import { stringBuiltins } from "./strings.ts";
import { timeBuiltins } from "./time.ts";
import { traceBuiltins } from "./trace.ts";
import { unitBuiltins } from "./units.ts";
import { uriBuiltins } from "./uri.ts";
import { urlqueryBuiltins } from "./urlquery.ts";
import { uuidBuiltins } from "./uuid.ts";

export {
  type BuiltinContext,
  BuiltinError,
  BuiltinLimit,
  BuiltinUnsupported,
  type HostBuiltin,
} from "./builtin.ts";

const families: readonly BuiltinFamily[] = [
  cidrBuiltins,
  cryptoBuiltins,
  encodingBuiltins,
  globBuiltins,
  globsMatchBuiltins,
  graphBuiltins,
  jsonMarshalBuiltins,
  jsonPatchBuiltins,
  jwtBuiltins,
  numberBuiltins,
  objectSubsetBuiltins,
  regexBuiltins,
  semverBuiltins,
  sprintfBuiltins,
  stringBuiltins,
  timeBuiltins,
  traceBuiltins,
  unitBuiltins,
  uriBuiltins,
  urlqueryBuiltins,
  uuidBuiltins,
];

/** Every host built-in by its name in Rego. */
export const hostBuiltins: ReadonlyMap<string, HostBuiltin> = new Map(
  families.flatMap((family) => Object.entries(family)),
);
