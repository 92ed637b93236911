/** The path of a request as policies see it. */
import { parseQuery, type QueryValues, unescapePercent } from "./url-encoding.ts";

/** What a request's path says. */
export interface ParsedPath {
  /**
   * As OPA's Envoy plugin has it: decoded, then split. So an encoded slash separates, too, and any
   * number of leading slashes are dropped: `//admin` is `["admin"]`, and `/` is `[""]`.
   */
  readonly parsedPath: readonly string[];
  readonly parsedQuery: QueryValues;
  /** What stands before the first `?`, as it is. */
  readonly rawPath: string;
  /** Split, then decoded; only one leading slash is dropped: `//a%2Fb` is `["", "a/b"]`. */
  readonly parsedPathSegments: readonly string[];
  /** An upstream may read the path as another one than the policy. */
  readonly isAmbiguous: boolean;
}

/**
 * Reads `attributes.request.http.path`. What is not UTF-8 when decoded becomes U+FFFD, where the
 * plugin keeps the bytes. Throws `PdpError` `invalid-argument` at a malformed escape, also in the
 * query, and at a `;` in the query.
 */
export function parsePath(path: string): ParsedPath {
  const mark = path.indexOf("?");
  const rawPath = mark < 0 ? path : path.slice(0, mark);
  const decoded = unescapePercent(rawPath, "path");
  const parsedPathSegments = segmentsOf(rawPath);
  return {
    parsedPath: decoded.replace(/^\/+/, "").split("/"),
    parsedQuery: parseQuery(mark < 0 ? "" : path.slice(mark + 1), "path"),
    rawPath,
    parsedPathSegments,
    // Of the whole, since a request's target has no fragment, not even behind a query.
    isAmbiguous: path.includes("#") || isAmbiguous(rawPath, parsedPathSegments),
  };
}

function segmentsOf(rawPath: string): string[] {
  const segments = rawPath.startsWith("/") ? rawPath.slice(1) : rawPath;
  return segments.split("/").map((segment) => unescapePercent(segment, "path"));
}

/**
 * Upstreams differ in what they do with each of these: they decode first or last or twice, drop or
 * resolve segments, take `\` for `/`, or cut parameters (`/admin;x`) and what follows a NUL.
 */
function isAmbiguous(rawPath: string, segments: readonly string[]): boolean {
  // A path that begins otherwise is none: the `*` of OPTIONS, or the authority of CONNECT.
  if (rawPath !== "" && !rawPath.startsWith("/")) return true;
  if (rawPath.includes("//") || ENCODED_SEPARATOR.test(rawPath)) return true;
  return segments.some(isAmbiguousSegment);
}

/** `/`, `\` and `%`. */
const ENCODED_SEPARATOR = /%(?:2f|5c|25)/i;

/** Among them U+FFFD, which stands for what is not UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const AMBIGUOUS_CHARACTER = /[\u0000-\u001f\u007f;\\\ufffd]/;

function isAmbiguousSegment(segment: string): boolean {
  return segment === "." || segment === ".." || AMBIGUOUS_CHARACTER.test(segment);
}
