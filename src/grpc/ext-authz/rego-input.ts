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

type Member = (sources: RegoSources) => InputValue | undefined;

/** What OPA's Envoy plugin says, and beside it what reads the path as the upstream may. */
const MEMBERS: readonly (readonly [name: string, of: Member])[] = [
  ["attributes", ({ request }) => request.attributes],
  ["version", () => VERSION],
  ["parsed_path", ({ path }) => path.parsedPath],
  ["parsed_query", ({ path }) => path.parsedQuery],
  ["raw_path", ({ path }) => path.rawPath],
  ["parsed_path_segments", ({ path }) => path.parsedPathSegments],
  ["ambiguous_path", ({ path }) => path.isAmbiguous],
  ["parsed_body", ({ body }) => body?.parsedBody],
  ["truncated_body", ({ body }) => body?.isTruncated],
  ["malformed_body", ({ body }) => (body?.isMalformed ? true : undefined)],
  ["source_principal", ({ request }) => request.sourcePrincipal || undefined],
];

/** The input, of which these parts at least are there. Without `body`, nothing is said of it. */
export function regoInput(sources: RegoSources, parts: DocumentParts): InputDocument {
  const input = new Members<InputValue>();
  for (const [name, of] of MEMBERS) {
    const value = partsOf(parts, name) === undefined ? undefined : of(sources);
    if (value !== undefined) input[name] = value;
  }
  return input;
}
