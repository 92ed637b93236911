import { type DocumentParts, partsOf } from "../../decision/document-parts.ts";
import { Members } from "../../decision/json.ts";
import type { InputDocument, InputValue } from "../../pipeline/pipeline.ts";
import type { BodyReading } from "./body-reader.ts";
import type { HttpCheck } from "./check-request.ts";
import type { ParsedPath } from "./parsed-path.ts";

/** What the input is made of. */
export interface RegoSources {
  readonly request: HttpCheck;
  readonly path: ParsedPath;
  readonly body: BodyReading | undefined;
}

const VERSION: InputDocument = Object.freeze({ ext_authz: "v3", encoding: "protojson" });

/**
 * The input that OPA's Envoy plugin would make, and beside its members those that read the path as
 * the upstream may; of all that, these parts at least. Without `body`, nothing is said of it.
 */
export function regoInput(
  { request, path, body }: RegoSources,
  parts: DocumentParts,
): InputDocument {
  const input = new Members<InputValue>();
  const add = (name: string, value: InputValue): void => {
    if (partsOf(parts, name) !== undefined) input[name] = value;
  };
  add("attributes", request.attributes);
  add("version", VERSION);
  add("parsed_path", path.parsedPath);
  add("parsed_query", path.parsedQuery);
  add("raw_path", path.rawPath);
  add("parsed_path_segments", path.parsedPathSegments);
  add("ambiguous_path", path.isAmbiguous);
  if (body !== undefined) {
    add("parsed_body", body.parsedBody);
    add("truncated_body", body.isTruncated);
    if (body.isMalformed) add("malformed_body", true);
  }
  if (request.sourcePrincipal !== "") add("source_principal", request.sourcePrincipal);
  return input;
}
