import type { InputDocument, InputValue } from "../../pipeline/pipeline.ts";
import type { BodyReading } from "./body-reader.ts";
import type { HttpCheck } from "./check-request.ts";
import type { ParsedPath } from "./parsed-path.ts";

const VERSION: InputDocument = Object.freeze({ ext_authz: "v3", encoding: "protojson" });

/**
 * The input that OPA's Envoy plugin would make, and beside its members those that read the path as
 * the upstream may. Without `body`, nothing is said of it.
 */
export function regoInput(
  request: HttpCheck,
  path: ParsedPath,
  body: BodyReading | undefined,
): InputDocument {
  const input: { [name: string]: InputValue } = {
    attributes: request.attributes,
    version: VERSION,
    parsed_path: path.parsedPath,
    parsed_query: path.parsedQuery,
    raw_path: path.rawPath,
    parsed_path_segments: path.parsedPathSegments,
    ambiguous_path: path.isAmbiguous,
  };
  if (body !== undefined) {
    input["parsed_body"] = body.parsedBody;
    input["truncated_body"] = body.isTruncated;
    if (body.isMalformed) input["malformed_body"] = true;
  }
  if (request.sourcePrincipal !== "") input["source_principal"] = request.sourcePrincipal;
  return input;
}
